"""Which equation a fit solves, and by which method: the bridge from :func:`~safe_pit_cm.inference.fit.fit`."""

from collections.abc import Iterable, Mapping
from typing import Any

import xarray as xr

from safe_pit_cm.errors import UserError
from safe_pit_cm.inference.equation_fit import fit_equation
from safe_pit_cm.models.catalogue import resolve as chosen
from safe_pit_cm.models.model import Model

__all__ = ["chosen", "fitted", "of_diffusion"]


def fitted(
    video: xr.DataArray, model: Model, *, method: str, process: str, nuisances: str | Iterable[str], **options: Any
) -> xr.Dataset:
    """Fit an equation other than that of diffusion; arguments as in :func:`~safe_pit_cm.inference.fit.fit`.

    Raises
    ------
    UserError
        If an option is for diffusion alone.
    """
    if method != "ml":
        raise UserError(f"the method {method} of this command is for diffusion alone; use ml for {model.name}")
    if process != "diffusion":
        raise UserError("the process is for diffusion; an equation says itself what sharpens and what smooths")
    if nuisances not in ("auto", "none"):
        raise UserError(
            "nuisances are for diffusion; with an equation, one gain and one offset can be estimated (affine)"
        )
    return fit_equation(video, model, **options)


def of_diffusion(model: Model, found: xr.Dataset) -> Mapping[str, Any]:
    """Attributes in terms of the coefficients of an equation that is that of diffusion."""
    facts = found.attrs
    name = model.names[0]
    value = {"value": facts["diffusivity"], "stderr": facts["stderr"], "ci95": facts["ci95"]}
    return {
        "model": model.name,
        "equation": model.source,
        "coefficients": {name: {**value, "unit": facts["units"]["diffusivity"]}},
        "correlations": {name: {name: 1.0}},
        "fixed": dict(model.fixed),
    }
