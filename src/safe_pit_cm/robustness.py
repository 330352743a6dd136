"""How noise, and an unknown boundary, move the coefficient that each method finds in a test video (supplement).

Neither is in the paper, whose videos are clean and periodic; measured ones are not. White Gaussian noise is added to
the frames of a test video, and each method is asked for α. Beside its error stands the Cramér–Rao bound: the smallest
standard deviation that any unbiased estimate can have which does not know the clean first frame.

``safe``
    The true minimum of the SAFE loss (:mod:`safe_pit_cm.minimum`), of mobility in both readings.
``zero_shot``
    The paper's estimator on the same loss (:mod:`safe_pit_cm.zero_shot`), as published, on fewer videos.
``least_squares``
    One step from frame to frame, in closed form (:func:`safe_pit_cm.baselines.least_squares`), in the stable direction.
``weak_form``
    Weak-form PySINDy (:mod:`safe_pit_cm.weak_form`).
``maximum_likelihood``
    :func:`safe_pit_cm.measurement.fit`, as for a measured video, told the discretisation that made the video, as SAFE
    is; mobility is read backwards.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from safe_pit_cm import ablation, baselines, likelihood, measurement, open_boundary, randomness, zero_shot
from safe_pit_cm.boundaries import Boundary, symbols, to_field, to_modes
from safe_pit_cm.discretisation import Discretisation
from safe_pit_cm.errors import UserError
from safe_pit_cm.minimum import minimise
from safe_pit_cm.processes import PROCESS_SIGN, PROCESSES, Process, Propagation, readings
from safe_pit_cm.weak_form import WeakForm

Progress = Callable[[str], None]
# The boxes of the weak form belong to no parent; their random stream is that of this one.
_NO_PARENT = 0


@dataclass(frozen=True)
class Estimate:
    """What a method finds in a noisy video.

    Attributes
    ----------
    alpha
        α, signed, length²/time; NaN where it finds nothing.
    stderr
        Its standard error; NaN where the method has none.
    interval
        95 % interval of |α|; NaN likewise.
    """

    alpha: float = float("nan")
    stderr: float = float("nan")
    interval: tuple[float, float] = (float("nan"), float("nan"))

    def beside(self, video: xr.Dataset) -> dict[str, float]:
        """``true``, ``recovered``, ``stderr`` and ``covered``: 1 if the interval holds the true value, else 0."""
        low, high = self.interval
        return {
            "true": float(video.attrs["transport_coefficient"]),
            "recovered": self.alpha,
            "stderr": self.stderr,
            "covered": float(low <= video.attrs["diffusivity"] <= high) if low <= high else float("nan"),
        }


def with_noise(video: xr.Dataset, noise: float, seed: int) -> xr.Dataset:
    """Add white Gaussian noise to the frames of a video.

    The draws depend on the seed, the parent, the process and the noise level alone.

    Parameters
    ----------
    video
        As the workflow writes it.
    noise
        Standard deviation σ, field units.
    seed
        Of the configuration.

    Returns
    -------
    xr.Dataset
        The video, its field in float64.
    """
    frames = video["field"].to_numpy().astype(np.float64)
    # Levels differ in the ninth decimal or not at all.
    level = round(1e9 * noise) * len(PROCESSES) + PROCESSES.index(video.attrs["process"])
    random = randomness.generator(seed, int(video.attrs["parent"]), "noise", level)
    return video.assign(field=video["field"].copy(data=frames + noise * random.standard_normal(frames.shape)))


def _spacing(video: xr.Dataset) -> tuple[float, float]:
    spacing = float(video.attrs["grid_spacing"])
    return spacing, spacing


def _discretisation(video: xr.Dataset) -> Discretisation:
    """Forward Euler with the time step that made the video."""
    return Discretisation("euler", float(video.attrs["time_step"]))


def _first_frame(video: xr.Dataset) -> NDArray[np.float64]:
    """Clean field from which diffusion starts: of mobility the last frame."""
    field = video["field"].to_numpy()[0 if video.attrs["process"] == "diffusion" else -1]
    return np.asarray(field, dtype=np.float64)


def bound(video: xr.Dataset, noise: float) -> float:
    """Cramér–Rao bound on the standard deviation of α of a clean periodic video with noise σ, length²/time."""
    return likelihood.cramer_rao_bound(
        _first_frame(video),
        video["time"].to_numpy(),
        float(video.attrs["diffusivity"]),
        noise,
        _spacing(video),
        "periodic",
        _discretisation(video),
    )


def maximum_likelihood(frames: xr.DataArray, video: xr.Dataset, boundary: Boundary) -> Estimate:
    """Fit the frames of a video, or a crop of them, by maximum likelihood."""
    found = measurement.fit(
        frames,
        process=video.attrs["process"],
        boundary=boundary,
        operator="euler",
        substep=float(video.attrs["time_step"]),
        dx=float(video.attrs["grid_spacing"]),
    ).attrs
    return Estimate(found["alpha"], found["stderr"], tuple(found["ci95"]))


def _attempt(find: Callable[[], Estimate]) -> Estimate:
    """What a method finds, or nothing where it says that it can find nothing."""
    try:
        return find()
    except UserError:
        return Estimate()


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
        loss = ablation.safe_loss(self.video, propagation, self.settings["substeps"])
        return Estimate(PROCESS_SIGN[self.process] * minimise(loss)[0])

    def zero_shot(self, propagation: Propagation) -> Estimate:
        # The network computes in float32.
        single = self.video.assign(field=self.video["field"].astype(np.float32))
        own = {name: self.settings[name] for name in ("substeps", "steps", "learning_rate", "estimator", "seed")}
        return Estimate(zero_shot.fit(single, propagation=propagation, **own).attrs["alpha"])

    def least_squares(self, propagation: Propagation) -> Estimate:
        found = baselines.least_squares(baselines.Problem(self.video, propagation, self.settings))
        return Estimate(PROCESS_SIGN[self.process] * found.magnitude)

    def weak_form(self, propagation: Propagation) -> Estimate:
        # It propagates nothing.
        return Estimate(self.weak.coefficient(self.video["field"].to_numpy(), self.settings["weak_threshold"]))

    def maximum_likelihood(self, propagation: Propagation) -> Estimate:
        return maximum_likelihood(self.video["field"], self.video, "periodic")

    def estimates(self, with_zero_shot: bool) -> Iterator[tuple[str, Propagation, Estimate]]:
        """Method, reading of mobility, and what it finds."""
        smoothing = readings(self.process)[-1]
        chosen: list[tuple[Callable[[Propagation], Estimate], Propagation]] = [
            *((self.safe, propagation) for propagation in readings(self.process)),
            (self.least_squares, smoothing),
            (self.weak_form, "signed"),
            (self.maximum_likelihood, smoothing),
        ]
        if with_zero_shot:
            chosen.append((self.zero_shot, "signed"))
        for method, propagation in chosen:
            yield method.__name__, propagation, _attempt(partial(method, propagation))


def noise_scan(
    videos: Iterable[xr.Dataset], settings: Mapping[str, Any], progress: Progress = lambda message: None
) -> pd.DataFrame:
    """Let every method face videos with more and more noise.

    Parameters
    ----------
    videos
        Clean videos on one grid.
    settings
        ``seed`` and ``noise``, the levels σ; ``substeps`` of the SAFE operator; ``steps``, ``learning_rate`` and
        ``estimator`` of :func:`safe_pit_cm.zero_shot.fit`, and the ``zero_shot_parents`` and levels
        ``zero_shot_noise`` that it faces; ``weak``, the arguments ``boxes``, ``side`` and ``duration`` of
        :class:`~safe_pit_cm.weak_form.WeakForm`, and its ``weak_threshold``.
    progress
        Told of every estimate.

    Returns
    -------
    pd.DataFrame
        A row a video, noise level, method and reading: ``parent``, ``process``, ``noise``, ``method``,
        ``propagation``, what :meth:`Estimate.beside` returns, and the Cramér–Rao ``bound``; length²/time.
    """
    seed, rows = settings["seed"], []
    weak: WeakForm | None = None
    for video in videos:
        if weak is None:
            weak = WeakForm(
                (video.sizes["time"], video.sizes["y"], video.sizes["x"]),
                float(video.attrs["grid_spacing"]),
                zero_shot.frame_interval(video),
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
                        **found.beside(video),
                        "bound": lowest,
                    }
                )
    return pd.DataFrame(rows)


def evolution(video: xr.Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Clean field of a periodic diffusion video and its derivative by D, each ``(time, y, x)``."""
    start, diffusivity = _first_frame(video), float(video.attrs["diffusivity"])
    discretisation = _discretisation(video)
    symbol = symbols((start.shape[0], start.shape[1]), _spacing(video), "periodic", discretisation)
    times = video["time"].to_numpy()[:, None, None]
    modes = to_modes(start, "periodic") * np.exp(-discretisation.rate(diffusivity, symbol) * times)
    slopes = -times * discretisation.rate_slope(diffusivity, symbol) * modes
    return np.asarray(to_field(modes, "periodic")), np.asarray(to_field(slopes, "periodic"))


def crop_scan(
    videos: Iterable[xr.Dataset], settings: Mapping[str, Any], progress: Progress = lambda message: None
) -> pd.DataFrame:
    """Fit crops of noisy diffusion videos as if nothing were known of what lies beyond them.

    A mobility video is read backwards, so it would tell the same.

    Parameters
    ----------
    videos
        Clean diffusion videos.
    settings
        ``seed``; ``noise``, σ; ``widths`` of the crops, pixels, each in the middle of the video. Those wider than the
        video are passed over.
    progress
        Told of every estimate.

    Returns
    -------
    pd.DataFrame
        A row a video and crop: ``parent``, ``width``, ``boundary`` (``open``; of the whole video, last,
        ``periodic``), ``noise``, what :meth:`Estimate.beside` returns, and the Cramér–Rao ``bound``.
    """
    noise, seed, rows = settings["noise"], settings["seed"], []
    for video in videos:
        noisy = with_noise(video, noise, seed)["field"]
        fields, slopes = evolution(video)
        size = video.sizes["x"]
        crops: list[tuple[int, Boundary]] = [
            *((width, "open") for width in settings["widths"] if width <= size),
            (size, "periodic"),
        ]
        for width, boundary in crops:
            inside = slice((size - width) // 2, (size + width) // 2)
            crop = noisy.isel(y=inside, x=inside)
            found = _attempt(partial(maximum_likelihood, crop, video, boundary))
            if boundary == "open":
                lowest = open_boundary.open_bound(
                    fields[:, inside, inside],
                    slopes[:, inside, inside],
                    video["time"].to_numpy(),
                    float(video.attrs["diffusivity"]),
                    noise,
                    _spacing(video),
                    _discretisation(video),
                )
            else:
                lowest = bound(video, noise)
            parent = video.attrs["parent"]
            progress(f"parent {parent}, {width} pixels, {boundary}: α = {found.alpha:.6f} ± {found.stderr:.6f}")
            rows.append(
                {
                    "parent": parent,
                    "width": width,
                    "boundary": boundary,
                    "noise": noise,
                    **found.beside(video),
                    "bound": lowest,
                }
            )
    return pd.DataFrame(rows)
