"""Other methods to find the coefficient of a video, on the same videos and, if they minimise one, on the same loss.

The paper claims to be faster than a genetic algorithm or a grid search by orders of magnitude, and names inverse PINNs
and least squares, but runs none of them. Each is implemented here with a library of its field:

``safe_spectral``, ``safe_stencil``
    Zero-shot SAFE (§2.7): attention estimator and Adam; the SAFE loss by its spectral form or, as in the paper, by
    stencils and back-propagation through every sub-step. The same fit up to rounding.
``minimum_spectral``
    The true minimum of the SAFE loss over |α|, by Brent's bounded scalar minimisation (SciPy).
``grid_spectral``, ``grid_stencil``
    Grid search: the smallest SAFE loss among evenly spaced |α|.
``genetic_spectral``, ``genetic_stencil``
    A real-coded genetic algorithm (DEAP): simulated binary crossover, polynomial mutation, survival of the best of
    parents and children.
``least_squares``
    One-step regression of the frame difference on the Laplacian: the minimum of the SAFE loss with S = 1, in closed
    form. With more sub-steps the loss is a polynomial in α of degree 2 S and has none.
``pinn``
    Inverse physics-informed neural network (DeepXDE), with α among its weights. It propagates nothing, so
    *signed* and *stable* are the same for it.

*Spectral* and *stencil* methods evaluate the same function at different cost.
:mod:`safe_pit_cm.studies.baseline_list` lists them.
"""

import math
import os
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.optimize
import torch
import xarray as xr
from deap import algorithms, base, tools
from torch import Tensor

from safe_pit_cm.data import randomness
from safe_pit_cm.equations.processes import PROCESS_SIGN, Process, Propagation, propagation_sign, propagations_of
from safe_pit_cm.errors import UserError
from safe_pit_cm.safe import zero_shot
from safe_pit_cm.safe.loss import loss_of_magnitude
from safe_pit_cm.safe.operator import OperatorPath, SafeOperator, laplacian
from safe_pit_cm.safe.spectral_loss import frame_pairs
from safe_pit_cm.simulation.videos import frame_interval
from safe_pit_cm.studies.baseline_list import BASELINES, Approach

#: Columns that name a row of :func:`run`.
KEY = ["method", "parent", "process", "propagation"]


@dataclass(frozen=True)
class Found:
    """Result of a method: |α| (length²/time), and its number of evaluations of the loss."""

    magnitude: float
    evaluations: int


@dataclass(frozen=True)
class Problem:
    """One video with one propagation, and the settings of the search.

    Attributes
    ----------
    video
        ``field(time, y, x)`` and attributes, as the workflow writes it.
    propagation
        Propagation of mobility.
    settings
        ``substeps``, ``seed``, ``magnitude_low`` and ``magnitude_high`` (the ends of the search interval), the
        arguments ``zero_shot`` and ``estimator`` of :func:`safe_pit_cm.safe.zero_shot.fit`, and the section
        ``baselines`` of the configuration.
    """

    video: xr.Dataset
    propagation: Propagation
    settings: Mapping[str, Any]

    @property
    def process(self) -> Process:
        """Process seen in the video."""
        process: Process = self.video.attrs["process"]
        return process

    @property
    def frames(self) -> Tensor:
        """The field, ``(time, y, x)``, float32."""
        return torch.from_numpy(self.video["field"].to_numpy().copy())

    @property
    def bounds(self) -> tuple[float, float]:
        """Interval of |α| that is searched."""
        return self.settings["magnitude_low"], self.settings["magnitude_high"]

    @property
    def seed(self) -> int:
        """Seed of this video's random search."""
        sequence = randomness.seed_sequence(self.settings["seed"], int(self.video.attrs["parent"]), "baselines")
        return int(sequence.generate_state(1)[0])

    def loss(self, path: OperatorPath) -> Callable[[float], float]:
        """SAFE loss as a function of |α|, without gradients."""
        operator = SafeOperator(
            frame_interval(self.video),
            float(self.video.attrs["grid_spacing"]),
            self.settings["substeps"],
            path,
        )
        loss_of = loss_of_magnitude(self.frames, operator, self.process, self.propagation)

        def evaluate(magnitude: float) -> float:
            with torch.no_grad():
                return loss_of(torch.tensor(magnitude, dtype=torch.float64)).item()

        return evaluate


def safe(problem: Problem, path: OperatorPath) -> Found:
    """Zero-shot SAFE: a fresh attention estimator, trained by Adam on the SAFE loss of this video (§2.7)."""
    settings = problem.settings
    fit = zero_shot.fit(
        problem.video,
        propagation=problem.propagation,
        substeps=settings["substeps"],
        estimator=settings["estimator"],
        seed=settings["seed"],
        path=path,
        **settings["zero_shot"],
    )
    return Found(abs(fit.attrs["alpha"]), fit.sizes["step"])


def minimum(problem: Problem, path: OperatorPath) -> Found:
    """Minimum of the SAFE loss by bounded scalar minimisation."""
    found = scipy.optimize.minimize_scalar(
        problem.loss(path), bounds=problem.bounds, method="bounded", options={"xatol": 1e-9}
    )
    return Found(float(found.x), int(found.nfev))


def grid(problem: Problem, path: OperatorPath) -> Found:
    """Grid search: |α| at which the SAFE loss is least among evenly spaced ones."""
    magnitudes = np.linspace(*problem.bounds, problem.settings["baselines"]["grid_points"])
    losses = list(map(problem.loss(path), magnitudes))
    return Found(float(magnitudes[np.argmin(losses)]), len(losses))


class _Fitness(base.Fitness):  # type: ignore[misc]  # DEAP is untyped
    """Fitness of an individual: the loss, to be minimised."""

    weights = (-1.0,)


class _Individual(list[float]):
    """Individual of the genetic algorithm: one gene, |α|."""

    def __init__(self, genes: Any) -> None:
        super().__init__(genes)
        self.fitness = _Fitness()


@contextmanager
def _standard_random_state(seed: int) -> Iterator[None]:
    """Seed the generator that DEAP uses, and restore the state of the caller."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


def genetic(problem: Problem, path: OperatorPath) -> Found:
    """Genetic algorithm on |α|, deterministic for the seed and the parent.

    A (μ + λ) scheme: tournaments, simulated binary crossover or polynomial mutation, both within the bounds.
    """
    low, high = problem.bounds
    size, generations = (problem.settings["baselines"][name] for name in ("population", "generations"))
    loss = problem.loss(path)
    evaluations = 0

    def evaluate(individual: list[float]) -> tuple[float]:
        nonlocal evaluations
        evaluations += 1
        return (loss(individual[0]),)

    toolbox = base.Toolbox()
    toolbox.register("evaluate", evaluate)
    toolbox.register("mate", tools.cxSimulatedBinaryBounded, eta=15.0, low=low, up=high)
    toolbox.register("mutate", tools.mutPolynomialBounded, eta=20.0, low=low, up=high, indpb=1.0)
    toolbox.register("select", tools.selTournament, tournsize=3)
    best = tools.HallOfFame(1)
    with _standard_random_state(problem.seed):
        population = [_Individual([random.uniform(low, high)]) for _ in range(size)]
        algorithms.eaMuPlusLambda(
            population,
            toolbox,
            mu=size,
            lambda_=size,
            cxpb=0.6,
            mutpb=0.4,
            ngen=generations,
            halloffame=best,
            verbose=False,
        )
    return Found(float(best[0][0]), evaluations)


def least_squares(problem: Problem) -> Found:
    """Closed-form least squares: |α| of one forward-Euler step from frame to frame.

    ``φ_{t+1} − φ_t = −α Δt_f ∇²φ_t`` has the solution ``α = −Σ (φ_{t+1} − φ_t) ∇²φ_t / (Δt_f Σ (∇²φ_t)²)``. It is
    biased on clean data as well: over a frame interval Δt_f every wavenumber with α λ_k Δt_f of order one or more
    decays by less than one step of that length predicts, so diffusion is underestimated.
    """
    source, target = frame_pairs(problem.frames.double(), problem.process, problem.propagation)
    curvature = laplacian(source, float(problem.video.attrs["grid_spacing"]))
    slope = ((target - source) * curvature).sum() / curvature.square().sum()
    sign = propagation_sign(problem.process, problem.propagation)
    return Found(-sign * slope.item() / frame_interval(problem.video), 0)


def _periodic_waves(modes: int) -> Callable[[Tensor], Tensor]:
    """One, and the sine and cosine of the longest waves that are periodic on the unit square, at places (x, y, ...)."""
    numbers = [
        (across, up)
        for across in range(modes + 1)
        for up in range(-modes, modes + 1)
        if 0 < across**2 + up**2 <= modes**2 and (across > 0 or up > 0)
    ]
    matrix = 2.0 * math.pi * torch.tensor(numbers, dtype=torch.float32).T

    def waves(places: Tensor) -> Tensor:
        phase = places[:, :2] @ matrix
        return torch.cat((torch.ones_like(phase[:, :1]), phase.sin(), phase.cos()), dim=1)

    return waves


def pinn(problem: Problem) -> Found:
    """Inverse PINN: a network φ(x, y, t) fitted to pixels and to the equation, with log |α| as a further weight.

    The design favours the method. The field is periodic: a network of time gives the amplitudes of the longest periodic
    waves, and the equation is imposed by automatic differentiation alone. It is fitted to ``pinn_frames`` frames from
    the rough end of the video without the first ``pinn_skip``, whose sharp boundaries require shorter waves. |α| starts
    at the geometric mean of the search interval.

    Raises
    ------
    UserError
        If DeepXDE is not installed.
    """
    os.environ["DDE_BACKEND"] = "pytorch"
    try:
        import deepxde as dde
    except ImportError as error:
        raise UserError(
            "the inverse PINN needs DeepXDE, which is not installed; install it by: uv sync --group baselines"
        ) from error
    settings = problem.settings["baselines"]
    # Otherwise DeepXDE moves every new tensor of the process to a GPU.
    torch.set_default_device("cpu")
    draws = np.random.default_rng(problem.seed)
    frames = problem.frames.numpy()
    # In the order in which the field smooths: mobility runs backwards.
    smoothing = frames if problem.process == "diffusion" else frames[::-1]
    seen = smoothing[settings["pinn_skip"] :][: settings["pinn_frames"]]
    shape = np.array(seen.shape)
    pixels = draws.integers(0, shape, size=(settings["pinn_points"], 3))
    # Unit cube: x and y relative to the side of the grid, t relative to the duration of the frames used.
    spans = np.array([shape[0] - 1, shape[1], shape[2]])
    inputs = (pixels / spans)[:, ::-1].astype(np.float32)
    # The equation is linear: offset and scale do not affect α.
    values = ((seen - seen.mean()) / seen.std())[tuple(pixels.T)][:, None]
    duration = float(spans[0]) * frame_interval(problem.video)
    spacing = float(problem.video.attrs["grid_spacing"])
    side_x, side_y = spacing * float(spans[2]), spacing * float(spans[1])

    # DeepXDE draws from the global generators of NumPy and PyTorch.
    numpy_state = np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]), _standard_random_state(problem.seed):
        dde.config.set_random_seed(problem.seed)
        logarithm = dde.Variable(0.5 * math.log(problem.bounds[0] * problem.bounds[1]))

        def equation(place: Tensor, field: Tensor) -> Tensor:
            rate = dde.grad.jacobian(field, place, i=0, j=2) / duration
            curvature = sum(
                dde.grad.hessian(field, place, i=axis, j=axis) / side**2 for axis, side in enumerate((side_x, side_y))
            )
            return duration * (rate - logarithm.exp() * curvature)

        domain = dde.geometry.GeometryXTime(dde.geometry.Rectangle([0, 0], [1, 1]), dde.geometry.TimeDomain(0, 1))
        observed = dde.icbc.PointSetBC(inputs, values)
        data = dde.data.TimePDE(domain, equation, [observed], num_domain=settings["pinn_points"])
        waves = _periodic_waves(settings["pinn_modes"])
        number = waves(torch.zeros(1, 2)).shape[1]
        width = settings["pinn_width"]
        net = dde.nn.FNN([1, width, width, number], "tanh", "Glorot normal")
        net.apply_feature_transform(lambda place: 2.0 * place[:, 2:] - 1.0)
        net.apply_output_transform(
            lambda place, amplitudes: (waves(place) * amplitudes).sum(1, keepdim=True) / math.sqrt(number)
        )
        model = dde.Model(data, net)
        steps = settings["pinn_steps"]
        model.compile(
            "adam",
            lr=1e-2,
            decay=("step", max(1, steps // 4), 0.4),
            loss_weights=[0.05, 1.0],
            external_trainable_variables=[logarithm],
            verbose=0,
        )
        model.train(iterations=steps, display_every=steps, verbose=0)
    np.random.set_state(numpy_state)  # noqa: NPY002
    return Found(math.exp(logarithm.item()), steps)


_APPROACHES: Mapping[Approach, Callable[..., Found]] = {
    "safe": safe,
    "minimum": minimum,
    "grid": grid,
    "genetic": genetic,
    "least_squares": least_squares,
    "pinn": pinn,
}


def find(name: str, problem: Problem) -> Found:
    """Solve a problem by the method of this name in :data:`safe_pit_cm.studies.baseline_list.BASELINES`."""
    method = BASELINES[name]
    approach = _APPROACHES[method.approach]
    return approach(problem) if method.path is None else approach(problem, method.path)


BaselineProgress = Callable[[str, Propagation, Found, float], None]


def run(
    video: xr.Dataset,
    settings: Mapping[str, Any],
    methods: Iterable[str],
    *,
    progress: BaselineProgress = lambda name, propagation, found, seconds: None,
) -> pd.DataFrame:
    """Run methods on one video, one after the other in this process.

    Parameters
    ----------
    video
        Video dataset.
    settings
        As :class:`Problem` takes them.
    methods
        Their names in :data:`safe_pit_cm.studies.baseline_list.BASELINES`.
    progress
        Called with the result of each method.

    Returns
    -------
    pd.DataFrame
        One row per method and propagation: ``method``, ``parent``, ``process``, ``propagation``, ``true`` and
        ``recovered`` α (signed), ``evaluations``, ``seconds`` of CPU time without reading the video.
    """
    rows = []
    process: Process = video.attrs["process"]
    for name in methods:
        method = BASELINES[name]
        for propagation in propagations_of(process) if method.has_propagation else ("signed",):
            problem = Problem(video, propagation, settings)
            seconds = math.inf
            for _ in range(method.rounds):
                started = time.process_time()
                found = find(name, problem)
                seconds = min(seconds, time.process_time() - started)
            progress(name, propagation, found, seconds)
            rows.append(
                {
                    "method": name,
                    "parent": video.attrs["parent"],
                    "process": process,
                    "propagation": propagation,
                    "true": float(video.attrs["transport_coefficient"]),
                    "recovered": PROCESS_SIGN[process] * found.magnitude,
                    "evaluations": found.evaluations,
                    "seconds": seconds,
                }
            )
    return pd.DataFrame(rows)
