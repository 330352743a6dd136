"""Figure 1: the architecture, drawn from the modules of the trained model."""

from collections.abc import Iterator, Mapping
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn

from safe_pit_cm.data import stores
from safe_pit_cm.plot_style import COLOURS, figure_style, save
from safe_pit_cm.safe import autoencoder
from safe_pit_cm.safe.autoencoder import ResidualMap, SafePitCm

# Modules that are drawn as one box; all others are expanded.
_BOXES = (nn.Conv2d, nn.AdaptiveAvgPool2d, nn.MultiheadAttention, nn.LayerNorm, nn.Linear, nn.Softplus)


def _shape(value: object) -> str:
    tensor = value[0] if isinstance(value, tuple) else value
    return " × ".join(map(str, tensor.shape)) if isinstance(tensor, Tensor) else ""


def weights(module: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def _parts(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Parts of a stage that have a line of their own."""
    if isinstance(module, ResidualMap):
        for number, block in enumerate(module.blocks, start=1):
            yield f"residual block {number}", block
        yield "1×1 projection, added to the input", module.projection
    else:
        for name, part in module.named_modules():
            if isinstance(part, _BOXES) and not name.startswith("attention."):
                yield type(part).__name__, part


def lines(model: SafePitCm, video: Tensor) -> dict[str, list[tuple[str, str, int]]]:
    """Run the model once and record the output of each part.

    Parameters
    ----------
    model
        The model.
    video
        ``(time, y, x)``.

    Returns
    -------
    dict
        By stage, the parts in order: name, shape of the output, trainable parameters.
    """
    recorded: dict[nn.Module, str] = {}
    handles = []
    stages: dict[str, nn.Module] = {
        "Encoder": model.encoder,
        "Estimator": model.estimator,
        "SAFE operator": model.operator,
        "Decoder": model.decoder,
    }
    parts = {stage: list(_parts(module)) for stage, module in stages.items()}
    parts["SAFE operator"] = [(model.operator.extra_repr(), model.operator)]
    for own in parts.values():
        for _, part in own:
            handles.append(part.register_forward_hook(lambda m, _, out: recorded.__setitem__(m, _shape(out))))
    with torch.no_grad():
        magnitude = model.magnitude(video[None])
        model(video, -magnitude[:, None])
    for handle in handles:
        handle.remove()
    return {
        stage: [(name, recorded.get(part, "not run"), weights(part)) for name, part in own]
        for stage, own in parts.items()
    }


def _box(axis: Axes, left: float, top: float, title: str, rows: list[tuple[str, str, int]], colour: str) -> float:
    """Draw one stage and return where it ends."""
    height = 0.042 * (len(rows) + 1) + 0.02
    axis.add_patch(Rectangle((left, top - height), 0.46, height, facecolor=colour, alpha=0.12, edgecolor=colour))
    total = sum(count for *_, count in rows)
    heading = f"{title} – {total:,} trainable parameters" if total else f"{title} – frozen, no trainable parameter"
    axis.text(left + 0.01, top - 0.03, heading, fontweight="bold", fontsize=8, va="center")
    for number, (name, shape, count) in enumerate(rows, start=1):
        y = top - 0.03 - 0.042 * number
        axis.text(left + 0.015, y, name, fontsize=6.5, va="center")
        axis.text(left + 0.45, y, f"{shape}   [{count:,}]", fontsize=6.5, va="center", ha="right", family="monospace")
    return top - height


def draw(model: SafePitCm, video: Tensor) -> Figure:
    """Draw the stages with the shapes and parameter counts of :func:`lines`; arguments as there."""
    stages = lines(model, video)
    colours = {
        "Encoder": COLOURS["diffusion"],
        "Estimator": COLOURS["mobility"],
        "SAFE operator": COLOURS["reference"],
        "Decoder": COLOURS["stable"],
    }
    with figure_style():
        figure, axis = plt.subplots(figsize=(9.5, 5.6))
        axis.set(xlim=(0, 1), ylim=(0, 1))
        axis.axis("off")
        arrow = {"arrowstyle": "->", "color": "black"}
        axis.text(0.23, 0.97, f"video φ: {_shape(video)}", ha="center", fontsize=8)
        bottom = _box(axis, 0.0, 0.92, "Encoder", stages["Encoder"], colours["Encoder"])
        axis.annotate("", (0.23, 0.92), (0.23, 0.96), arrowprops=arrow)
        operator_top = bottom - 0.09
        axis.annotate("", (0.23, operator_top), (0.23, bottom), arrowprops=arrow)
        axis.text(0.24, bottom - 0.045, "latent video z", fontsize=8, va="center")
        end = _box(axis, 0.0, operator_top, "SAFE operator", stages["SAFE operator"], colours["SAFE operator"])
        axis.annotate("", (0.23, end - 0.08), (0.23, end), arrowprops=arrow)
        axis.text(0.24, end - 0.04, "predicted latent video", fontsize=8, va="center")
        last = _box(axis, 0.0, end - 0.08, "Decoder", stages["Decoder"], colours["Decoder"])
        axis.text(0.23, last - 0.04, f"φ̂: {_shape(video)}", ha="center", fontsize=8, va="center")
        foot = _box(axis, 0.52, 0.92, "Estimator", stages["Estimator"], colours["Estimator"])
        axis.annotate("", (0.52, bottom - 0.03), (0.36, bottom - 0.045), arrowprops=arrow)
        # Across the gap between the columns, so that it crosses no text however many rows they have.
        axis.annotate("", (0.46, (operator_top + end) / 2), (0.52, foot + 0.02), arrowprops=arrow)
        axis.text(
            0.53,
            foot - 0.04,
            "gives |α| to the SAFE operator; its sign comes from the process\n"
            f"{weights(model):,} trainable parameters in all",
            fontsize=8,
            va="top",
        )
        axis.set_ylim(min(last - 0.07, foot - 0.13), 1)
    return figure


def make(inputs: Mapping[str, Any], outputs: Mapping[str, str], params: Mapping[str, Any]) -> None:
    """Make the figure from the files and parameters of its rule."""
    model = autoencoder.load(inputs["model"]).eval()
    video = torch.from_numpy(stores.read(inputs["video"], "video")["field"].to_numpy().copy())
    save(draw(model, video), **outputs)
