"""The paper's experiments on a video of another equation: sub-steps, frame intervals, zero-shot, and noise."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.optimize
import torch
import xarray as xr

from safe_pit_cm.data import randomness
from safe_pit_cm.errors import UserError
from safe_pit_cm.evolution.compiled import Compiled, Grid
from safe_pit_cm.evolution.normal_equations import NormalEquations
from safe_pit_cm.evolution.observations import Observations
from safe_pit_cm.evolution.solver import Solver
from safe_pit_cm.inference.equation_fit import fit_equation
from safe_pit_cm.models import catalogue
from safe_pit_cm.models.model import Model
from safe_pit_cm.numerics.arrays import Array
from safe_pit_cm.safe import equation_zero_shot
from safe_pit_cm.safe.equation_operator import EquationOperator, path_of, stable_substeps

COLUMNS = ("parent", "method", "setting", "substeps", "stable", "coefficient", "true", "recovered", "stderr", "bound")


def safe_minimum(frames: Array, operator: EquationOperator, start: Array) -> Array | None:
    """Minimum of the SAFE loss over θ from a start value; None where the loss is not finite.

    Parameters
    ----------
    frames
        ``(time, field, y, x)``.
    operator
        The SAFE operator.
    start
        θ to start from.
    """
    video = torch.from_numpy(np.ascontiguousarray(frames))
    scale = float((video[1:] - video[:-1]).square().mean())
    size = np.where(start != 0, np.abs(start), 1.0)

    def loss(scaled: Array) -> tuple[float, Array]:
        theta = torch.from_numpy(scaled * size).requires_grad_()
        value = (operator(video[:-1], theta) - video[1:]).square().mean() / scale
        (gradient,) = torch.autograd.grad(value, theta)
        return float(value.detach()), gradient.numpy() * size

    with np.errstate(all="ignore"):
        bounds = [(each.low, each.high) for each in operator.model.coefficients]
        scaled = [(low / unit, high / unit) for (low, high), unit in zip(bounds, size, strict=True)]
        found = scipy.optimize.minimize(loss, start / size, jac=True, method="L-BFGS-B", bounds=scaled)
    return np.asarray(found.x * size) if np.isfinite(found.fun) else None


def bound(frames: Array, times: Array, spacing: float, model: Model, theta: Array, noise: float) -> Array:
    """Cramér–Rao bound on the standard deviations of θ, the first frame unknown, at the true fields."""
    grid = Grid((frames.shape[-2], frames.shape[-1]), (spacing, spacing), dtype=torch.float32)
    video = torch.from_numpy(frames)
    equations = NormalEquations(Solver(Compiled(model, grid), times, 1), Observations(video))
    step = equations.step(theta, video[0], torch.zeros_like(video), noise_power=noise**2, tolerance=1e-3)
    return np.asarray(noise * np.sqrt(np.diag(np.linalg.pinv(step.schur, hermitian=True))))


def scan(
    video: xr.Dataset,
    *,
    seed: int,
    substeps: Sequence[int],
    frame_steps: Sequence[int],
    noise: Sequence[float],
    zero_shot: Mapping[str, Any],
    estimator: Mapping[str, Any],
    say: Callable[[str], None] = lambda line: None,
) -> pd.DataFrame:
    """Run every experiment on one video of :func:`~safe_pit_cm.studies.equation_videos.simulate`.

    Parameters
    ----------
    video
        Without noise.
    seed
        Of the configuration.
    substeps
        Numbers of sub-steps S (Table 3). Frame steps use the largest, and zero-shot as few as are stable.
    frame_steps
        Every n-th frame (Figure 8).
    noise
        Standard deviations of the noise, relative to that of the first frame; maximum likelihood and the SAFE minimum.
    zero_shot, estimator
        ``steps`` and ``learning_rate`` of Adam, and the settings of the estimator.
    say
        Called with every line of progress.

    Returns
    -------
    pd.DataFrame
        A row for each method, setting and coefficient, with the columns :data:`COLUMNS`. ``minimum`` is that of
        the loss that zero-shot descends.
    """
    model = catalogue.named(video.attrs["model"])
    truth = np.array([video.attrs["coefficients"][name] for name in model.names])
    frames = video["field"].to_numpy()
    spacing, interval = float(video.attrs["grid_spacing"]), float(video.attrs["frame_interval"])
    fewest = stable_substeps(model, truth, interval, spacing, torch.from_numpy(frames))
    rows: list[tuple[Any, ...]] = []

    def add(
        method: str,
        setting: float,
        steps: int,
        found: Array | None,
        stderr: Array | None = None,
        least: Array | None = None,
    ) -> None:
        missing = np.full(len(truth), np.nan)
        columns = (truth, *(missing if each is None else each for each in (found, stderr, least)))
        for name, *values in zip(model.names, *columns, strict=True):
            rows.append((video.attrs["parent"], method, setting, steps, steps >= fewest, name, *values))
        say(f"{method} {setting:g} with {steps} sub-steps: {found}")

    start = 1.2 * truth
    for count in substeps:
        found = safe_minimum(frames, EquationOperator(model, interval, spacing, count), start)
        add("sub-steps", count, count, found)
    most = max(max(substeps), fewest)
    for step in frame_steps:
        operator = EquationOperator(model, step * interval, spacing, most * step)
        add(
            "frame step", step, most, safe_minimum(frames[::step], operator, start) if len(frames[::step]) > 1 else None
        )
    shot = equation_zero_shot.fit(
        frames,
        model,
        interval=interval,
        spacing=spacing,
        estimator=estimator,
        largest=list(truth),
        seed=seed,
        **zero_shot,
    )
    own = shot.attrs["substeps"]
    add("zero-shot", shot.attrs["steps"], own, np.array(list(shot.attrs["coefficients"].values())))
    add("minimum", 0, own, safe_minimum(frames, EquationOperator(model, interval, spacing, own, path_of(model)), start))
    draw = randomness.generator(seed, int(video.attrs["parent"]), "noise")
    contrast = float(frames[0].std())
    for level in noise:
        noisy = frames + level * contrast * draw.standard_normal(frames.shape)
        least = bound(frames, video["time"].to_numpy(), spacing, model, truth, level * contrast)
        add(
            "SAFE, noise",
            level,
            most,
            safe_minimum(noisy, EquationOperator(model, interval, spacing, most), start),
            None,
            least,
        )
        dims = ("time", "y", "x") if len(model.fields) == 1 else ("time", "field", "y", "x")
        film = xr.DataArray(noisy[:, 0] if len(model.fields) == 1 else noisy, dims=dims)
        try:
            fit = fit_equation(film, model, dx=spacing, dt=interval, boundary="periodic", seed=seed)
            each = list(fit.attrs["coefficients"].values())
            value: Array | None = np.array([one["value"] for one in each])
            stderr: Array | None = np.array([one["stderr"] for one in each])
        except UserError as error:
            say(str(error))
            value = stderr = None
        add("likelihood", level, 0, value, stderr, least)
    return pd.DataFrame(rows, columns=list(COLUMNS))
