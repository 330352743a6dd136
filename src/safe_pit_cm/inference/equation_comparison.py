"""Compare named equations on one video: which fit, and which explain it with fewest coefficients."""

from collections.abc import Sequence
from typing import Any

import xarray as xr

from safe_pit_cm.errors import UserError
from safe_pit_cm.inference.equation_fit import fit_equation
from safe_pit_cm.models.model import Model


def compare(video: xr.DataArray, models: Sequence[Model], **options: Any) -> list[dict[str, Any]]:
    """Fit several equations to one video.

    Parameters
    ----------
    video
        As in :func:`~safe_pit_cm.inference.equation_fit.fit_equation`.
    models
        The candidates; nothing else is looked for.
    **options
        Of every fit.

    Returns
    -------
    list
        A record for each candidate, the best first: ``model``, ``equation``, ``aic_difference`` (Akaike's criterion
        less that of the best; the first frame counts among the parameters), ``goodness_of_fit``, ``fits``,
        ``coefficients``, and ``reason``, why there is no fit, else None.
    """
    records = []
    for model in models:
        record: dict[str, Any] = {"model": model.name, "equation": model.source, "reason": None}
        try:
            facts = fit_equation(video, model, **options).attrs
            record |= {name: facts[name] for name in ("aic", "goodness_of_fit", "fits", "coefficients")}
        except UserError as error:
            record |= {"aic": None, "goodness_of_fit": None, "fits": False, "coefficients": None, "reason": str(error)}
        records.append(record)
    least = min((record["aic"] for record in records if record["aic"] is not None), default=None)
    for record in records:
        value = record.pop("aic")
        record["aic_difference"] = None if value is None or least is None else value - least
    # Those that could not be fitted come last.
    return sorted(records, key=lambda record: (record["reason"] is not None, record["aic_difference"] or 0.0))
