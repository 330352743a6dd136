"""The paper's trained model for another equation: training on some videos, test-time steps on others (§2.6, §3.1)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr

from safe_pit_cm.data import randomness
from safe_pit_cm.models import catalogue
from safe_pit_cm.safe import equation_training, test_time
from safe_pit_cm.safe import training as two_phases
from safe_pit_cm.safe.equation_training import EquationSample
from safe_pit_cm.studies.equation_scan import COLUMNS

# Parent number of the random stream of the training, which belongs to no parent.
_NO_PARENT = 0


def run(
    train_videos: Iterable[xr.Dataset],
    validation_videos: Iterable[xr.Dataset],
    test_videos: Iterable[xr.Dataset],
    *,
    seed: int,
    spread: float,
    steps: int,
    estimator: Mapping[str, Any],
    autoencoder: Mapping[str, Any],
    loss: Mapping[str, Any],
    training: Mapping[str, Any],
    say: Callable[[str], None] = lambda line: None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train a model, and take test-time steps on every test video.

    Parameters
    ----------
    train_videos, validation_videos, test_videos
        Results of :func:`~safe_pit_cm.studies.equation_videos.simulate` for one equation on one grid.
    seed
        Of the configuration.
    spread
        Largest relative distance of a coefficient from its example.
    steps
        Test-time steps.
    estimator, autoencoder, loss, training
        Sections of the configuration.
    say
        Called with every line of progress.

    Returns
    -------
    tuple[pd.DataFrame, pd.DataFrame]
        A row for each method, test video and coefficient, with the columns of the scan: ``mean``, the mean of the
        training videos, which one knows without a look at the video; ``trained``; and ``test-time steps``. And the
        history of the training.
    """
    videos = [list(each) for each in (train_videos, validation_videos, test_videos)]
    learned, watched, held_out = ([EquationSample.of_video(video) for video in each] for each in videos)
    first = videos[0][0]
    equation = catalogue.named(first.attrs["model"])
    start = randomness.torch_seed(seed, _NO_PARENT, "training")
    torch.manual_seed(start)
    model = equation_training.fresh_model(
        equation,
        learned,
        spread,
        interval=float(first.attrs["frame_interval"]),
        spacing=float(first.attrs["grid_spacing"]),
        estimator=estimator,
        autoencoder=autoencoder,
    )
    learning = equation_training.learning(equation, spread, loss, training)
    history = two_phases.train(
        model,
        learned,
        watched,
        learning=learning,
        schedule=two_phases.Schedule.of_settings(training),
        seed=start,
        progress=lambda row, left: say(
            f"epoch {row['epoch']}, phase {row['phase']}: loss {row['loss']:.3e}, validation loss "
            f"{row['validation_loss']:.3e}; at most {left:.0f} s left"
        ),
    )
    trained = {name: value.clone() for name, value in model.state_dict().items()}
    mean = np.mean([sample.truth for sample in learned], axis=0)
    substeps, rows = model.operator.substeps, []
    for sample in held_out:
        # Steps on one video leave no trace in the next.
        model.load_state_dict(trained)
        course = test_time.take_steps(
            model,
            sample,
            learning=learning,
            steps=steps,
            frozen_fraction=training["frozen_fraction"],
            refresh=training["refresh"],
            seed=seed,
        )
        found = {
            ("mean", 0): mean,
            ("trained", 0): np.array(course.before.estimate.tolist()),
            ("test-time steps", steps): course.estimates[-1],
        }
        say(f"parent {sample.parent}, {', '.join(sample.names)}: {found}")
        for (method, taken), estimate in found.items():
            # The operator was chosen so that it is stable.
            key = (sample.parent, method, taken, substeps, True)
            rows += [
                (*key, name, true, value, np.nan, np.nan)
                for name, true, value in zip(sample.names, sample.truth, estimate, strict=True)
            ]
    return pd.DataFrame(rows, columns=list(COLUMNS)), history
