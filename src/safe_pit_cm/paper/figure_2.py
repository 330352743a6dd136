"""Figure 2: the loss terms, and the gradient that each of them sends to the parts of the model."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import nn

from safe_pit_cm.data import stores
from safe_pit_cm.plot_style import figure_style, save
from safe_pit_cm.safe import autoencoder, experiment
from safe_pit_cm.safe.autoencoder import SafePitCm
from safe_pit_cm.safe.composite_loss import Weights
from safe_pit_cm.safe.phases import Latent, Learning, autoencoder_loss, freeze
from safe_pit_cm.safe.samples import ProcessSample, Sample

_TERMS = {
    "safe": ("L_safe", "mean ‖SAFE(z_t, α) − z_{t+1}‖²"),
    "reconstruction": ("L_rec", "mean ‖D(z) − φ‖²"),
    "identity": ("L_id", "mean ‖z − φ‖²"),
    "bounds": ("L_bounds", "relu(α_lo − |α|)² + relu(|α| − α_hi)²"),
}


def gradients(model: SafePitCm, sample: Sample, learning: Learning) -> Mapping[tuple[str, str], float | None]:
    """Norm of the gradient that each term, alone, sends to each part of the model.

    Every frame pair of the video is used, and the estimator reads the latent video with gradient, as the equations say.
    The bounds term is evaluated for a range that does not contain |α|: inside the range its gradient is zero.

    Returns
    -------
    Mapping
        By term and part; None where no path leads from the term to the part.
    """
    parts: dict[str, nn.Module] = {"encoder": model.encoder, "estimator": model.estimator, "decoder": model.decoder}
    found: dict[tuple[str, str], float | None] = {}
    model.eval()
    frames = torch.stack((sample.field[:-1:10], sample.field[1::10]), dim=1)[None]
    for term in _TERMS:
        only = {**dict.fromkeys((*_TERMS, "supervised_alpha", "supervised_field"), 0.0), term: 1.0}
        weights = Weights(**only, magnitude_low=0.0, magnitude_high=0.0 if term == "bounds" else float("inf"))
        model.zero_grad(set_to_none=True)
        compressed = model.estimator.compress(model.encoder(sample.field[None]))
        latent = Latent(compressed[0], freeze(model, sample, learning.propagation).safe)
        autoencoder_loss(model, learning, weights, [sample], [latent], frames)[0].backward()
        for part, module in parts.items():
            norms = [parameter.grad.norm() for parameter in module.parameters() if parameter.grad is not None]
            found[term, part] = float(torch.stack(norms).norm()) if norms else None
    model.zero_grad(set_to_none=True)
    return found


def draw(found: Mapping[tuple[str, str], float | None], learning: Learning) -> Figure:
    """Draw the terms with their weights, and the gradients of :func:`gradients`."""
    parts = ("encoder", "estimator", "decoder")
    values = np.array([[found[term, part] or np.nan for part in parts] for term in _TERMS])
    with figure_style():
        figure, axis = plt.subplots(figsize=(8.6, 3.6))
        image = axis.imshow(np.log10(values), cmap="cividis", aspect="auto")
        figure.colorbar(image, ax=axis, label="log₁₀ of the gradient norm")
        for row, term in enumerate(_TERMS):
            for column, part in enumerate(parts):
                value = found[term, part]
                text = "no path" if value is None else f"{value:.1e}"
                axis.text(
                    column,
                    row,
                    text,
                    ha="center",
                    va="center",
                    fontsize=9,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
                )
        labels = [
            f"{symbol}, weight {learning.weights.of(term):g}\n{formula}" for term, (symbol, formula) in _TERMS.items()
        ]
        axis.set_yticks(range(len(labels)), labels, fontsize=8)
        axis.set_xticks(
            range(len(parts)), ["encoder\nfrozen in Phase 1", "estimator\nboth phases", "decoder\nfrozen in Phase 1"]
        )
        axis.grid(visible=False)
    return figure


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the figure from the files and parameters of its rule."""
    sample = ProcessSample.of_video(stores.read(inputs["video"], "video"))
    learning = experiment.learning(params["settings"])
    save(draw(gradients(autoencoder.load(inputs["model"]), sample, learning), learning), **outputs)
