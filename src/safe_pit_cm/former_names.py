"""Names that were replaced: a former name is refused, and the present one is given.

This module imports nothing heavy: the command line loads it for ``--help``, and the workflow whenever it is parsed.
"""

from collections.abc import Callable, Collection
from functools import wraps
from typing import ParamSpec, TypeVar

from safe_pit_cm.errors import UserError

P = ParamSpec("P")
R = TypeVar("R")

#: Former names of boundaries, and the present ones.
FORMER_BOUNDARIES = {"insulated": "no-flux", "fixed": "dirichlet"}

#: Former keys of the configuration, and the present ones.
FORMER_KEYS = {
    "training.coder_rate": "training.autoencoder_rate",
    "training.frozen_share": "training.frozen_fraction",
    "training.gradient_limit": "training.maximum_gradient_norm",
    "variants.degeneracy_coder_rate": "variants.degeneracy_autoencoder_rate",
}


def former_boundary(name: str, offered: Collection[str]) -> str | None:
    """A sentence that gives the present name of a boundary; None unless ``name`` is the former name of one offered."""
    present = FORMER_BOUNDARIES.get(name)
    return f"the boundary {name} is now called {present}; give {present}" if present in offered else None


def refuses_arguments(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function some of whose arguments were renamed.

    Parameters
    ----------
    **names
        Former name of each argument = its present name.

    Returns
    -------
    Callable
        A decorator; what it returns raises `UserError` when called with a former name.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def checked(*arguments: P.args, **options: P.kwargs) -> R:
            for former, present in names.items():
                if former in options:
                    raise UserError(f"the argument {former} is now called {present}; give {present}=…")
            return function(*arguments, **options)

        return checked

    return decorate
