"""The methods by name, and the number of lines that a user writes for each."""

import ast
import importlib
import importlib.metadata
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Group = Literal["ours", "peer"]


def is_installed(package: str) -> bool:
    """Whether a distribution is installed."""
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@dataclass(frozen=True)
class Method:
    """A method of the table.

    Attributes
    ----------
    label
        Name in tables.
    function
        Its function, as ``module:name``.
    space_and_time
        How it discretises the equation.
    package
        Distribution whose version is shown, and that must be installed.
    videos
        Videos of each noise level that it is run on at most; None for all.
    """

    label: str
    function: str
    space_and_time: str
    package: str
    videos: int | None = None

    @property
    def group(self) -> Group:
        """Ours, or a peer."""
        return "ours" if self.function.startswith("benchmarks.ours:") else "peer"

    @property
    def installed(self) -> bool:
        """Whether its package is."""
        return is_installed(self.package)

    def load(self) -> Callable[..., Any]:
        """The function."""
        module, name = self.function.split(":")
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
        return function


_OURS, _TORCH, _SCIPY = "safe-pit-cm", "torch", "scipy"
_EXACT, _STENCIL, _SAFE = "exact", "five-point, 10 Euler steps a frame", "five-point, 50 Euler steps a frame"

METHODS: Mapping[str, Method] = {
    "ml": Method("maximum likelihood, interval and check", "benchmarks.ours:maximum_likelihood", _EXACT, _OURS),
    "ml-core": Method("maximum likelihood, error bar only", "benchmarks.ours:likelihood_core", _EXACT, _OURS),
    "direct": Method("`direct`: minimum of the SAFE loss", "benchmarks.ours:direct", _EXACT, _OURS),
    "zero-shot": Method("zero-shot, spectral", "benchmarks.ours:zero_shot_spectral", _SAFE, _OURS),
    "zero-shot-stencil": Method("zero-shot, stencil", "benchmarks.ours:zero_shot_stencil", _SAFE, _OURS, videos=1),
    "torch-pairs": Method("PyTorch, frame pairs", "benchmarks.peers:torch_pairs", _STENCIL, _TORCH),
    "torch": Method("PyTorch, roll-out", "benchmarks.peers:torch_rollout", _STENCIL, _TORCH),
    "torch-compiled": Method("PyTorch, roll-out, compiled", "benchmarks.peers:torch_compiled", _STENCIL, _TORCH),
    "torch-joint": Method("PyTorch, FFT, first frame fitted too", "benchmarks.peers:torch_joint", _EXACT, _TORCH),
    "exponax": Method("Exponax, roll-out", "benchmarks.peers:exponax_rollout", _EXACT, "exponax"),
    "phiflow": Method("PhiFlow, roll-out", "benchmarks.peers:phiflow_rollout", _EXACT, "phiflow"),
    "evoxels": Method(
        "evoxels, its inversion", "benchmarks.peers:evoxels_inversion", "five-point, Runge–Kutta", "evoxels", videos=2
    ),
    "pysindy": Method("PySINDy, weak form", "benchmarks.peers:pysindy_weak", "weak form, trapezoids", "pysindy"),
    "deepxde": Method("DeepXDE, inverse PINN", "benchmarks.peers:deepxde_pinn", "network", "deepxde", videos=1),
    "genetic": Method("DEAP, genetic algorithm", "benchmarks.peers:genetic_algorithm", _EXACT, "deap"),
    "grid": Method("NumPy, grid search", "benchmarks.peers:grid_search", _EXACT, _SCIPY),
    "evolution": Method("SciPy, differential evolution", "benchmarks.peers:differential_evolution", _EXACT, _SCIPY),
    "spectral": Method("SciPy, spectral roll-out", "benchmarks.peers:spectral_rollout", _EXACT, _SCIPY),
}


def lines(function: Callable[..., Any]) -> int:
    """Lines of code in the body of a function, those of the functions of its module that it uses included.

    Docstrings, comments and blank lines do not count, nor do the line ``def`` and the last line, which returns the fit.
    """
    seen: set[Callable[..., Any]] = set()

    def count(each: Callable[..., Any]) -> int:
        if each in seen:
            return 0
        seen.add(each)
        source = inspect.getsource(each)
        body = ast.parse(source).body[0]
        assert isinstance(body, ast.FunctionDef)
        statements = body.body[1:] if ast.get_docstring(body) is not None else body.body
        text = source.splitlines()
        written = {
            number
            for statement in statements
            for number in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
            if (code := text[number - 1].strip()) and not code.startswith("#")
        }
        return len(written) + sum(count(other) for other in _used(body, each))

    return count(function) - 1


def _used(body: ast.FunctionDef, function: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Functions of the same module whose names occur in a function, as defaults of arguments too."""
    for node in ast.walk(body):
        if isinstance(node, ast.Name):
            other = inspect.unwrap(function).__globals__.get(node.id)
            if inspect.isfunction(other) and other.__module__ == function.__module__:
                yield other
