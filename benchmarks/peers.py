"""The peers, each in the shape in which a user of its package would write it.

Each takes the :class:`~benchmarks.videos.Grid` of its videos, imports and prepares what it needs, and returns a
function from frames ``(time, y, x)``, float32, to D. What can be prepared or compiled once for all videos of a grid
is. The lines of each are counted, those of the functions that it calls here included.

The choices favour the peers. What propagates is compared with the video as a whole, from frame 0 on, which noise biases
less than pairs of frames; PyTorch has these too, since the paper does. The searches are over log D, from the same start
or in the same range, with tolerances far below what noise leaves of D.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.videos import HIGH, LOW, START, Grid

Frames = NDArray[np.float32]
Fit = Callable[[Frames], float]

# Sub-steps of a frame interval: stable up to D = 2.5.
_SUBSTEPS = 10


def _torch_minimum(loss: Callable[[Any], Any]) -> float:
    """D at the minimum of a loss of log D, by L-BFGS."""
    import torch

    log_d = torch.tensor(np.log(START), dtype=torch.float32, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [log_d], max_iter=30, tolerance_grad=1e-7, tolerance_change=1e-8, line_search_fn="strong_wolfe"
    )

    def closure() -> Any:
        optimiser.zero_grad()
        value = loss(log_d)
        value.backward()
        return value

    optimiser.step(closure)
    return float(log_d.detach().exp())


def _euler(field: Any, rate: Any) -> Any:
    """One frame interval by forward Euler with the five-point stencil."""
    for _ in range(_SUBSTEPS):
        neighbours = field.roll(1, -1) + field.roll(-1, -1) + field.roll(1, -2) + field.roll(-1, -2)
        field = field + rate * (neighbours - 4 * field)
    return field


def torch_pairs(grid: Grid) -> Fit:
    """PyTorch: every frame predicted from the one before, as in the SAFE loss."""
    import torch

    def fit(frames: Frames) -> float:
        video = torch.from_numpy(frames)
        scale = video.diff(dim=0).square().mean()

        def loss(log_d: Any) -> Any:
            rate = log_d.exp() * grid.interval / _SUBSTEPS / grid.spacing**2
            return (_euler(video[:-1], rate) - video[1:]).square().mean() / scale

        return _torch_minimum(loss)

    return fit


def torch_rollout(grid: Grid, step: Callable[[Any, Any], Any] = _euler) -> Fit:
    """PyTorch: the roll-out from frame 0."""
    import torch

    def fit(frames: Frames) -> float:
        video = torch.from_numpy(frames)
        scale = video.var()

        def loss(log_d: Any) -> Any:
            rate = log_d.exp() * grid.interval / _SUBSTEPS / grid.spacing**2
            field, rolled = video[0], []
            for _ in range(grid.frames - 1):
                field = step(field, rate)
                rolled.append(field)
            return (torch.stack(rolled) - video[1:]).square().mean() / scale

        return _torch_minimum(loss)

    return fit


def torch_compiled(grid: Grid) -> Fit:
    """The same with a compiled frame interval."""
    import torch

    return torch_rollout(grid, torch.compile(_euler))


def torch_joint(grid: Grid) -> Fit:
    """PyTorch: the roll-out by FFT with the first frame unknown, fitted together with D."""
    import torch

    symbol = torch.as_tensor(grid.symbol, dtype=torch.float32)
    times = torch.as_tensor(grid.times, dtype=torch.float32)[:, None, None]

    def fit(frames: Frames) -> float:
        video = torch.from_numpy(frames)
        scale = video.var()
        first = video[0].clone().requires_grad_()
        log_d = torch.tensor(np.log(START), dtype=torch.float32, requires_grad=True)
        optimiser = torch.optim.LBFGS(
            [log_d, first], max_iter=200, tolerance_grad=1e-8, tolerance_change=1e-9, line_search_fn="strong_wolfe"
        )

        def closure() -> Any:
            optimiser.zero_grad()
            decayed = torch.fft.rfft2(first) * torch.exp(-log_d.exp() * symbol * times)
            value = (torch.fft.irfft2(decayed, s=first.shape) - video).square().mean() / scale
            value.backward()
            return value

        optimiser.step(closure)
        return float(log_d.detach().exp())

    return fit


def exponax_rollout(grid: Grid) -> Fit:
    """Exponax: its exact diffusion stepper, rolled out, differentiated and compiled by JAX."""
    import exponax
    import jax
    import jax.numpy as jnp
    from scipy.optimize import minimize

    def loss(log_d: Any, video: Any) -> Any:
        diffusivity = jnp.exp(log_d) * jnp.ones(2)
        stepper = exponax.stepper.Diffusion(2, grid.length, grid.size, grid.interval, diffusivity=diffusivity)
        rolled = exponax.rollout(stepper, grid.frames - 1)(video[:1])
        return jnp.square(rolled[:, 0] - video[1:]).mean() / video.var()

    gradient = jax.jit(jax.value_and_grad(loss))

    def fit(frames: Frames) -> float:
        video = jnp.asarray(frames)

        def evaluate(log_d: Any) -> Any:
            value, slope = gradient(log_d[0], video)
            return float(value), np.array([float(slope)])

        bounds = [(np.log(LOW), np.log(HIGH))]
        found = minimize(evaluate, [np.log(START)], jac=True, bounds=bounds, options={"ftol": 1e-10, "gtol": 1e-7})
        return float(np.exp(found.x[0]))

    return fit


def phiflow_rollout(grid: Grid) -> Fit:
    """PhiFlow: its exact periodic diffusion from frame 0 to every time, compiled by JAX, and its minimiser."""
    from phi.jax.flow import PERIODIC, CenteredGrid, Solve, batch, diffuse, math, spatial, tensor, wrap

    # diffuse.fourier counts in grid cells.
    times = tensor(grid.times / grid.spacing**2, batch("time"))

    def loss(log_d: Any, video: Any) -> Any:
        first = CenteredGrid(video.time[0], PERIODIC, x=grid.size, y=grid.size)
        rolled = diffuse.fourier(first, math.exp(log_d), times)
        return math.mean((rolled.values - video) ** 2, "time,y,x") / math.std(video, "time,y,x") ** 2

    compiled = math.jit_compile(loss)

    def fit(frames: Frames) -> float:
        video = tensor(frames, batch("time"), spatial("y,x"))
        solve = Solve("L-BFGS-B", abs_tol=1e-10, x0=wrap(np.log(START)))
        return float(math.exp(math.minimize(lambda log_d: compiled(log_d, video), solve)))

    return fit


def evoxels_inversion(grid: Grid) -> Fit:
    """Evoxels: its own inversion, Levenberg–Marquardt through a fourth-order Runge–Kutta roll-out.

    It compiles anew in every fit.
    """
    import evoxels
    from evoxels.inversion import InversionModel
    from evoxels.pdes import ReactionDiffusion
    from evoxels.timesteppers import RungeKutta4

    fields = evoxels.VoxelFields((grid.size, grid.size, 1), (grid.length, grid.length, grid.spacing))
    model = InversionModel(
        fields, ReactionDiffusion, pos_params=["D"], timestepper_cls=RungeKutta4, problem_kwargs={"A": 1.0}
    )
    # Its solver takes steps of 0.1 unless told: too long for D = 1 on this grid.
    solve = model.solve
    model.solve = lambda *args, **options: solve(*args, **{**options, "dt0": grid.interval / 4})

    def fit(frames: Frames) -> float:
        data = {"ts": grid.times, "ys": frames[..., None]}
        # It prints every step: with verbose=False it raises a TypeError.
        found = model.train({"D": START}, data, [list(range(grid.frames))])
        return float(found["D"])

    return fit


def pysindy_weak(grid: Grid) -> Fit:
    """PySINDy: weak-form regression of ∂φ/∂t on the derivatives of φ up to second order.

    Number and size of the boxes are those of the noise study of this project.
    """
    import pysindy

    axis = grid.spacing * np.arange(grid.size)
    place = np.stack(np.meshgrid(axis, axis, grid.times, indexing="ij"), axis=-1)
    np.random.seed(0)  # noqa: NPY002
    library = pysindy.WeakPDELibrary(
        function_library=pysindy.PolynomialLibrary(degree=1, include_bias=False),
        derivative_order=2,
        include_interaction=False,
        spatiotemporal_grid=place,
        K=50,
        H_xt=[0.2 * axis[-1], 0.2 * axis[-1], 0.45 * grid.times[-1]],
    )

    def fit(frames: Frames) -> float:
        model = pysindy.SINDy(feature_library=library, optimizer=pysindy.STLSQ(threshold=0.01, alpha=0.0))
        model.fit(np.moveaxis(frames, 0, -1)[..., None], t=grid.interval, feature_names=["u"])
        terms = dict(zip(model.get_feature_names(), model.coefficients()[0], strict=True))
        return float(terms["u_11"] + terms["u_22"]) / 2

    return fit


def deepxde_pinn(grid: Grid) -> Fit:
    """DeepXDE: an inverse physics-informed network of time that gives the amplitudes of periodic waves.

    It is fitted to the later half of the frames. Its settings were chosen by trial on the video that it is run on.
    """
    import os

    os.environ["DDE_BACKEND"] = "pytorch"
    import deepxde
    import torch

    torch.set_default_device("cpu")
    skip, modes, points, steps = grid.frames // 2, 6, 500, 1000
    numbers = [
        (across, up)
        for across in range(modes + 1)
        for up in range(-modes, modes + 1)
        if 0 < across**2 + up**2 <= modes**2 and (across > 0 or up > 0)
    ]
    matrix = 2 * np.pi * torch.tensor(numbers, dtype=torch.float32).T

    def waves(place: Any, amplitudes: Any) -> Any:
        phase = place[:, :2] @ matrix
        basis = torch.cat((torch.ones_like(phase[:, :1]), phase.sin(), phase.cos()), 1)
        return (basis * amplitudes).sum(1, keepdim=True) / len(numbers) ** 0.5

    def fit(frames: Frames) -> float:
        deepxde.config.set_random_seed(0)
        seen = frames[skip:]
        pixels = np.random.default_rng(0).integers(0, seen.shape, size=(4 * points, 3))
        inputs = (pixels / [len(seen) - 1, grid.size, grid.size])[:, ::-1].astype(np.float32)
        values = ((seen - seen.mean()) / seen.std())[tuple(pixels.T)][:, None]
        duration = (len(seen) - 1) * grid.interval
        log_d = deepxde.Variable(np.log(START))

        def equation(place: Any, field: Any) -> Any:
            rate = deepxde.grad.jacobian(field, place, i=0, j=2)
            curvature = sum(deepxde.grad.hessian(field, place, i=axis, j=axis) for axis in (0, 1))
            return rate - log_d.exp() * curvature * duration / grid.length**2

        domain = deepxde.geometry.GeometryXTime(
            deepxde.geometry.Rectangle([0, 0], [1, 1]), deepxde.geometry.TimeDomain(0, 1)
        )
        observed = deepxde.icbc.PointSetBC(inputs, values, batch_size=points, shuffle=True)
        data = deepxde.data.TimePDE(domain, equation, [observed], num_domain=points)
        net = deepxde.nn.FNN([1, 64, 64, 2 * len(numbers) + 1], "tanh", "Glorot normal")
        net.apply_feature_transform(lambda place: 2 * place[:, 2:] - 1)
        net.apply_output_transform(waves)
        model = deepxde.Model(data, net)
        model.compile(
            "adam",
            lr=1e-2,
            decay=("step", steps // 4, 0.4),
            loss_weights=[0.05, 1.0],
            external_trainable_variables=[log_d],
            verbose=0,
        )
        model.train(iterations=steps, display_every=steps, verbose=0)
        return float(log_d.detach().exp())

    return fit


def _rollout_loss(grid: Grid, frames: Frames) -> Callable[[float], float]:
    """Squared difference of the roll-out from frame 0 and the video, by the modes, as a function of log D."""
    from scipy.fft import rfft2

    spectrum = rfft2(frames.astype(np.float64))
    times = grid.times[1:, None, None]

    def loss(log_d: float) -> float:
        difference = spectrum[0] * np.exp(-np.exp(log_d) * grid.symbol * times) - spectrum[1:]
        return float(np.vdot(difference, difference).real)

    return loss


def spectral_rollout(grid: Grid) -> Fit:
    """NumPy and SciPy: the roll-out by FFT, and Brent's bounded minimisation."""
    from scipy.optimize import minimize_scalar

    def fit(frames: Frames) -> float:
        loss = _rollout_loss(grid, frames)
        found = minimize_scalar(loss, bounds=(np.log(LOW), np.log(HIGH)), method="bounded", options={"xatol": 1e-8})
        return float(np.exp(found.x))

    return fit


def grid_search(grid: Grid) -> Fit:
    """The lowest of 21 points, four times, each time between the neighbours of the last."""

    def fit(frames: Frames) -> float:
        loss = _rollout_loss(grid, frames)
        low, high = np.log(LOW), np.log(HIGH)
        for _ in range(4):
            points = np.linspace(low, high, 21)
            best = int(np.argmin([loss(point) for point in points]))
            low, high = points[max(best - 1, 0)], points[min(best + 1, 20)]
        return float(np.exp(points[best]))

    return fit


def differential_evolution(grid: Grid) -> Fit:
    """SciPy: differential evolution, with its final local search."""
    from scipy import optimize

    def fit(frames: Frames) -> float:
        loss = _rollout_loss(grid, frames)
        bounds = [(np.log(LOW), np.log(HIGH))]
        found = optimize.differential_evolution(lambda log_d: loss(log_d[0]), bounds, popsize=10, rng=0)
        return float(np.exp(found.x[0]))

    return fit


def genetic_algorithm(grid: Grid) -> Fit:
    """DEAP: (μ + λ) with simulated binary crossover and polynomial mutation, 20 individuals, 15 generations."""
    import random

    from deap import algorithms, base, creator, tools

    low, high = float(np.log(LOW)), float(np.log(HIGH))
    creator.create("Fitness", base.Fitness, weights=(-1.0,))
    creator.create("Individual", list, fitness=creator.Fitness)

    def fit(frames: Frames) -> float:
        random.seed(0)
        loss = _rollout_loss(grid, frames)
        toolbox = base.Toolbox()
        toolbox.register("evaluate", lambda individual: (loss(individual[0]),))
        toolbox.register("mate", tools.cxSimulatedBinaryBounded, eta=15.0, low=low, up=high)
        toolbox.register("mutate", tools.mutPolynomialBounded, eta=20.0, low=low, up=high, indpb=1.0)
        toolbox.register("select", tools.selTournament, tournsize=3)
        population = [creator.Individual([random.uniform(low, high)]) for _ in range(20)]
        best = tools.HallOfFame(1)
        algorithms.eaMuPlusLambda(population, toolbox, 20, 20, 0.6, 0.4, 15, halloffame=best, verbose=False)
        return float(np.exp(best[0][0]))

    return fit
