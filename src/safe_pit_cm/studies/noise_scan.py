"""Effect of noise on the coefficient that each method finds in a test video (supplement).

The paper's videos are clean; measured ones are not. White Gaussian noise is added to the frames of a test video, and
α is estimated by each method. Its error is compared with the Cramér–Rao bound: the smallest standard deviation of any
unbiased estimate that does not know the clean first frame.

``safe``
    The true minimum of the SAFE loss (:mod:`safe_pit_cm.safe.minimum`), of mobility with both propagations.
``zero_shot``
    The paper's estimator on the same loss (:mod:`safe_pit_cm.safe.zero_shot`), as published, on fewer videos.
``least_squares``
    One step from frame to frame, in closed form, in the stable direction
    (:func:`safe_pit_cm.studies.baseline_fits.least_squares`).
``weak_form``
    Weak-form PySINDy (:mod:`safe_pit_cm.studies.weak_form`).
``maximum_likelihood``
    :func:`safe_pit_cm.inference.fit.fit`, as for a measured video, with the discretisation that generated
    the video, which SAFE also has; mobility is analysed in reverse.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from safe_pit_cm.data import randomness
from safe_pit_cm.equations.processes import PROCESS_SIGN, Process, Propagation, propagations_of
from safe_pit_cm.errors import UserError
from safe_pit_cm.safe import ending, zero_shot
from safe_pit_cm.safe.minimum import minimise
from safe_pit_cm.simulation.videos import frame_interval
from safe_pit_cm.studies import baseline_fits, step_ablations
from safe_pit_cm.studies.noisy_videos import Estimate, attempt, bound, maximum_likelihood, with_noise
from safe_pit_cm.studies.weak_form import WeakForm

MessageProgress = Callable[[str], None]
# Parent number of the random stream of the boxes of the weak form, which belong to no parent.
_NO_PARENT = 0


@dataclass(frozen=True)
class _Methods:
    """The methods on one noisy video."""

    video: xr.Dataset
    weak: WeakForm
    settings: Mapping[str, Any]

    @property
    def process(self) -> Process:
        process: Process = self.video.attrs["process"]
        return process

    def safe(self, propagation: Propagation) -> Estimate:
        loss = step_ablations.safe_loss(self.video, propagation, self.settings["substeps"])
        magnitude, lowest = minimise(loss)
        if ending.of_minimum(magnitude, lowest, loss) != "converged":
            raise UserError("the SAFE loss has no minimum among the coefficients that the frames can tell")
        return Estimate(PROCESS_SIGN[self.process] * magnitude)

    def zero_shot(self, propagation: Propagation) -> Estimate:
        # The network computes in float32.
        single = self.video.assign(field=self.video["field"].astype(np.float32))
        own = {name: self.settings[name] for name in ("substeps", "steps", "learning_rate", "estimator", "seed")}
        return Estimate(zero_shot.fit(single, propagation=propagation, **own).attrs["alpha"])

    def least_squares(self, propagation: Propagation) -> Estimate:
        found = baseline_fits.least_squares(baseline_fits.Problem(self.video, propagation, self.settings))
        return Estimate(PROCESS_SIGN[self.process] * found.magnitude)

    def weak_form(self, propagation: Propagation) -> Estimate:
        # This method propagates nothing.
        return Estimate(self.weak.coefficient(self.video["field"].to_numpy(), self.settings["weak_threshold"]))

    def maximum_likelihood(self, propagation: Propagation) -> Estimate:
        return maximum_likelihood(self.video["field"], self.video, "periodic")

    def estimates(self, with_zero_shot: bool) -> Iterator[tuple[str, Propagation, Estimate]]:
        """Method, propagation of mobility, and estimate."""
        smoothing = propagations_of(self.process)[-1]
        chosen: list[tuple[Callable[[Propagation], Estimate], Propagation]] = [
            *((self.safe, propagation) for propagation in propagations_of(self.process)),
            (self.least_squares, smoothing),
            (self.weak_form, "signed"),
            (self.maximum_likelihood, smoothing),
        ]
        if with_zero_shot:
            chosen.append((self.zero_shot, "signed"))
        for method, propagation in chosen:
            yield method.__name__, propagation, attempt(partial(method, propagation))


def scan(
    videos: Iterable[xr.Dataset], settings: Mapping[str, Any], progress: MessageProgress = lambda message: None
) -> pd.DataFrame:
    """Run every method on videos with increasing noise.

    Parameters
    ----------
    videos
        Clean videos on one grid.
    settings
        ``seed`` and ``noise``, the levels σ; ``substeps`` of the SAFE operator; ``steps``, ``learning_rate`` and
        ``estimator`` of :func:`safe_pit_cm.safe.zero_shot.fit`, and the ``zero_shot_parents`` and levels
        ``zero_shot_noise`` at which it is run; ``weak``, the arguments ``boxes``, ``side`` and ``duration`` of
        :class:`~safe_pit_cm.studies.weak_form.WeakForm`, and its ``weak_threshold``.
    progress
        Called with a message for every estimate.

    Returns
    -------
    pd.DataFrame
        One row per video, noise level, method and propagation: ``parent``, ``process``, ``noise``, ``method``,
        ``propagation``, the columns of :meth:`Estimate.compared_with`, and the Cramér–Rao ``bound``; length²/time.
    """
    seed, rows = settings["seed"], []
    weak: WeakForm | None = None
    for video in videos:
        if weak is None:
            weak = WeakForm(
                (video.sizes["time"], video.sizes["y"], video.sizes["x"]),
                float(video.attrs["grid_spacing"]),
                frame_interval(video),
                seed=randomness.torch_seed(seed, _NO_PARENT, "noise"),
                **settings["weak"],
            )
        parent, process = video.attrs["parent"], video.attrs["process"]
        for noise in settings["noise"]:
            wanted = parent in settings["zero_shot_parents"] and noise in settings["zero_shot_noise"]
            lowest = bound(video, noise)
            methods = _Methods(with_noise(video, noise, seed), weak, settings)
            for method, propagation, found in methods.estimates(wanted):
                progress(f"parent {parent}, {process}, σ = {noise:g}, {method}, {propagation}: α = {found.alpha:.6f}")
                rows.append(
                    {
                        "parent": parent,
                        "process": process,
                        "noise": noise,
                        "method": method,
                        "propagation": propagation,
                        **found.compared_with(video),
                        "bound": lowest,
                    }
                )
    return pd.DataFrame(rows)
