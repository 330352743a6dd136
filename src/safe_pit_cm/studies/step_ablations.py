"""The two ablations of §3.3: fewer sub-steps, and fewer frames.

Every point is fitted twice: by the attention estimator with Adam, as the paper does, and by the true minimum of the
same loss (:mod:`safe_pit_cm.safe.minimum`), which separates errors of the optimiser from those of the discretisation.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from safe_pit_cm.data import stores
from safe_pit_cm.equations.processes import PROCESS_SIGN, PROPAGATIONS, Process, Propagation, propagations_of
from safe_pit_cm.errors import DivergenceError
from safe_pit_cm.safe import ending
from safe_pit_cm.safe.ending import ENDINGS
from safe_pit_cm.safe.minimum import first_order_bias, minimise
from safe_pit_cm.safe.spectral_loss import NumpyOperator, SpectralSafeLoss
from safe_pit_cm.simulation.videos import frame_interval

# Sub-steps when frames are omitted: their size is kept, or their number per frame interval.
SUBSTEPPINGS = ("size", "count")

_LONG_NAMES = {
    "alpha": "transport coefficient found by Adam; NaN where the loss is infinite or nothing was fitted",
    "alpha_minimum": "transport coefficient at the minimum of the same loss",
    "alpha_first_order": "transport coefficient predicted to first order in the time steps",
    "loss": "SAFE loss of the coefficient found by Adam; infinite where it left the range of numbers",
    "loss_minimum": "SAFE loss at its minimum",
}
_ENDINGS = {"ending": "how the fit by Adam ended", "ending_minimum": "how the search for the minimum ended"}

Known = Mapping[Propagation, xr.Dataset]
MessageProgress = Callable[[str], None]


def known_fits(path: str | Path, process: Process) -> dict[Propagation, xr.Dataset]:
    """Read the zero-shot fits of a video, by their propagation."""
    return {
        propagation: stores.read(path, "fit", group="/" if propagation == "signed" else propagation)
        for propagation in propagations_of(process)
    }


def every(video: xr.Dataset, frame_step: int) -> xr.Dataset:
    """Keep every ``frame_step``-th frame of a video, the first included."""
    kept = video.isel(time=slice(None, None, frame_step))
    return kept.assign_attrs(save_interval=int(video.attrs["save_interval"]) * frame_step)


def safe_loss(video: xr.Dataset, propagation: Propagation, substeps: int) -> SpectralSafeLoss:
    """SAFE loss of a video as a function of |α|."""
    operator = NumpyOperator(frame_interval(video), float(video.attrs["grid_spacing"]), substeps)
    return SpectralSafeLoss.of_video(video["field"].to_numpy(), operator, video.attrs["process"], propagation)


def _losses(video: xr.Dataset) -> dict[Propagation, SpectralSafeLoss]:
    """SAFE loss of a video in every propagation of its process, with a single sub-step."""
    return {propagation: safe_loss(video, propagation, 1) for propagation in propagations_of(video.attrs["process"])}


def _minimum(video: xr.Dataset, loss: SpectralSafeLoss) -> dict[str, Any]:
    """``alpha`` at the minimum of the SAFE loss, its ``ending``, the ``loss``, and α predicted to ``first_order``."""
    sign = PROCESS_SIGN[video.attrs["process"]]
    true = abs(float(video.attrs["transport_coefficient"]))
    magnitude, lowest = minimise(loss)
    return {
        "alpha": sign * magnitude,
        "ending": ending.of_minimum(magnitude, lowest, loss),
        "loss": lowest,
        "first_order": sign * (true + first_order_bias(loss, true, float(video.attrs["time_step"]))),
    }


def minima(video: xr.Dataset, counts: Iterable[int]) -> list[dict[str, Any]]:
    """α at the minimum of the SAFE loss of a video, by propagation and number of sub-steps.

    Returns
    -------
    list
        Rows with ``parent``, ``process``, ``propagation``, ``substeps``, the ``true`` α, the one ``recovered``, its
        ``ending``, and the one predicted to ``first_order``.
    """
    process: Process = video.attrs["process"]
    true = float(video.attrs["transport_coefficient"])
    rows = []
    for propagation, loss in _losses(video).items():
        for count in counts:
            found = _minimum(video, loss.with_substeps(count))
            rows.append(
                {
                    "parent": video.attrs["parent"],
                    "process": process,
                    "propagation": propagation,
                    "substeps": count,
                    "true": true,
                    "recovered": found["alpha"],
                    "ending": found["ending"],
                    "first_order": found["first_order"],
                }
            )
    return rows


def _point(
    video: xr.Dataset,
    propagation: Propagation,
    loss: SpectralSafeLoss,
    substeps: int,
    known: xr.Dataset | None,
    adam: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The true minimum, and a fit by Adam unless it is known or not wanted."""
    minimum = _minimum(video, loss.with_substeps(substeps))
    found = {"alpha": np.nan, "loss": np.nan, "ending": "not_fitted"}
    try:
        fit = known
        if fit is None and adam is not None:
            # Studies of minima alone do without PyTorch.
            from safe_pit_cm.safe import zero_shot

            fit = zero_shot.fit(video, propagation=propagation, substeps=substeps, **adam)
        if fit is not None:
            found = {"alpha": fit.attrs["alpha"], "loss": fit["loss"][-1].item(), "ending": fit.attrs["ending"]}
    except DivergenceError:
        found |= {"loss": np.inf, "ending": "diverged"}
    return {
        **found,
        "alpha_minimum": minimum["alpha"],
        "alpha_first_order": minimum["first_order"],
        "loss_minimum": minimum["loss"],
        "ending_minimum": minimum["ending"],
    }


def _dataset(
    video: xr.Dataset,
    axes: Mapping[str, xr.Variable],
    points: Iterable[Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> xr.Dataset:
    """Arrange points, the last axis fastest."""
    rows = list(points)
    shape = tuple(axis.size for axis in axes.values())
    estimator = settings["estimator"]
    return xr.Dataset(
        {
            name: (
                tuple(axes),
                np.array([row[name] for row in rows]).reshape(shape),
                {"long_name": long_name, "units": "1"},
            )
            for name, long_name in _LONG_NAMES.items()
        }
        | {
            name: (
                tuple(axes),
                np.array([ENDINGS.index(row[name]) for row in rows], dtype=np.int8).reshape(shape),
                _flag_attributes(long_name, ENDINGS),
            )
            for name, long_name in _ENDINGS.items()
        },
        coords=dict(axes),
        attrs={
            **{
                name: video.attrs[name]
                for name in ("parent", "process", "transport_coefficient", "diffusivity", "seed", "grid_spacing")
            },
            "frame_interval": frame_interval(video),
            "steps": settings["steps"],
            "learning_rate": settings["learning_rate"],
            **{f"estimator_{name}": value for name, value in estimator.items()},
        },
    )


def _flags(name: str, long_name: str, meanings: Sequence[str], values: Sequence[str]) -> xr.Variable:
    """Coordinate of words, as CF flags: numbers with their meanings. Text in Zarr is not yet standardised."""
    numbers = np.array([meanings.index(value) for value in values], dtype=np.int8)
    return xr.Variable(name, numbers, _flag_attributes(long_name, meanings))


def _flag_attributes(long_name: str, meanings: Sequence[str]) -> dict[str, Any]:
    return {
        "long_name": long_name,
        "units": "1",
        "flag_values": list(range(len(meanings))),
        "flag_meanings": " ".join(meanings),
    }


def _propagations(process: Process) -> xr.Variable:
    return _flags("propagation", "reading of mobility", PROPAGATIONS, propagations_of(process))


def substeps(
    video: xr.Dataset,
    counts: Sequence[int],
    *,
    default: int,
    known: Known,
    progress: MessageProgress = lambda message: None,
    **adam: Any,
) -> xr.Dataset:
    """Fit a video with different numbers of sub-steps (Table 3, Figure 7).

    Parameters
    ----------
    video
        The video.
    counts
        Numbers of sub-steps S.
    default, known
        Number of sub-steps of the zero-shot fits of this video that exist already, and these fits by propagation.
    progress
        Called with a message before every point.
    adam
        ``seed``, ``steps``, ``learning_rate`` and ``estimator`` of :func:`safe_pit_cm.safe.zero_shot.fit`.

    Returns
    -------
    xr.Dataset
        ``alpha``, ``alpha_minimum``, ``alpha_first_order``, ``loss``, ``loss_minimum``, ``ending`` and
        ``ending_minimum``, each over ``(substeps, propagation)``; signed α, length²/time.
    """
    losses = _losses(video)
    points = []
    for count in counts:
        for propagation, loss in losses.items():
            progress(f"{count} sub-steps, {propagation}")
            fit = known[propagation] if count == default else None
            points.append(_point(video, propagation, loss, count, fit, adam))
    axis = xr.Variable("substeps", np.array(counts), {"long_name": "sub-steps a frame interval", "units": "1"})
    return _dataset(video, {"substeps": axis, "propagation": _propagations(video.attrs["process"])}, points, adam)


def frame_steps(
    video: xr.Dataset,
    steps_between: Sequence[int],
    *,
    default: int,
    known: Known,
    progress: MessageProgress = lambda message: None,
    **adam: Any,
) -> xr.Dataset:
    """Fit a video of which only every n-th frame is kept (Figure 8).

    Arguments as for :func:`substeps`; ``steps_between`` are the numbers n, of which those that leave a single frame are
    ignored. With sub-steps of the same *size*, S n of them
    fill the n times longer frame interval; with the same *count*, S. The estimator is fitted in the first case
    only; for the other the true minimum suffices.

    Returns
    -------
    xr.Dataset
        The variables of :func:`substeps` over ``(frame_step, substepping, propagation)``, and ``frames(frame_step)``.
    """
    steps_between = [step for step in steps_between if step < video.sizes["time"]]
    points, frames = [], []
    for step in steps_between:
        kept = every(video, step)
        frames.append(kept.sizes["time"])
        losses = _losses(kept)
        for substepping in SUBSTEPPINGS:
            for propagation, loss in losses.items():
                progress(f"frame step {step}, same {substepping} of sub-steps, {propagation}")
                fit = known[propagation] if step == 1 else None
                count = default * step if substepping == "size" else default
                points.append(_point(kept, propagation, loss, count, fit, adam if substepping == "size" else None))
    axes = {
        "frame_step": xr.Variable(
            "frame_step", np.array(steps_between), {"long_name": "saved frames from one to the next", "units": "1"}
        ),
        "substepping": _flags("substepping", "what of the sub-steps is kept", SUBSTEPPINGS, SUBSTEPPINGS),
        "propagation": _propagations(video.attrs["process"]),
    }
    dataset = _dataset(video, axes, points, adam)
    return dataset.assign_coords(frames=("frame_step", np.array(frames), {"long_name": "frames left", "units": "1"}))
