r"""The mean of several measurements that scatter by more than their errors: a random-effects model.

Measurement i of k is :math:`y_i = \mu + u_i + e_i`, where :math:`e_i` has the known standard error :math:`s_i` and
:math:`u_i`, the true difference of film i from the mean, has the standard deviation τ. With the weights
:math:`w_i = 1/(s_i^2 + \tau^2)`,

.. math::

    \hat\mu = \frac{\sum w_i y_i}{\sum w_i}, \qquad
    \hat\tau^2 = \arg\min_{\tau^2 \ge 0} \Big[ \sum \ln(s_i^2 + \tau^2) + \ln \sum w_i
        + \sum w_i (y_i - \hat\mu)^2 \Big],

which is restricted maximum likelihood (REML). The interval of the mean is that of Hartung and Knapp,

.. math::

    \hat\mu \pm t_{k-1,\,0.975} \sqrt{\frac{\max(1, q)}{\sum w_i}}, \qquad
    q = \frac{1}{k-1} \sum w_i (y_i - \hat\mu)^2,

where the maximum (Knapp and Hartung 2003) keeps measurements that agree by chance from an interval narrower than their
errors allow. The share of the variance that is not due to the errors is
:math:`I^2 = \tau^2 / (\tau^2 + \tilde s^2)`, with the typical variance of an error
:math:`\tilde s^2 = (k-1) \sum v_i / [(\sum v_i)^2 - \sum v_i^2]`, :math:`v_i = 1/s_i^2` (Higgins and Thompson 2002).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from safe_pit_cm.numerics.search import scan_then_brent

_LEVEL = 0.95
# Where τ² is sought, in units of the largest variance that the measurements allow for.
_SCAN = (0.0, *np.geomspace(1e-6, 4.0, 60))


@dataclass(frozen=True)
class Combined:
    """Mean of several measurements.

    Attributes
    ----------
    count
        Number of measurements k.
    mean
        Estimate of μ.
    stderr
        Its standard error.
    low, high
        Ends of its 95 % interval; of a single measurement, that of its error.
    between
        Estimate of τ; None for a single measurement.
    heterogeneity
        I², from 0 to 1; None for a single measurement.
    """

    count: int
    mean: float
    stderr: float
    low: float
    high: float
    between: float | None
    heterogeneity: float | None


def combine(values: Sequence[float] | NDArray[np.float64], errors: Sequence[float] | NDArray[np.float64]) -> Combined:
    """Combine measurements by the random-effects model.

    Parameters
    ----------
    values
        The measurements, at least one, all in one unit.
    errors
        Their standard errors, positive.

    Returns
    -------
    Combined
        The mean with its interval, and how much the measurements differ beyond their errors.
    """
    y, s = np.asarray(values, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    if len(y) == 1:
        reach = float(stats.norm.ppf(0.5 + _LEVEL / 2) * s[0])
        return Combined(1, float(y[0]), float(s[0]), float(y[0]) - reach, float(y[0]) + reach, None, None)

    def mean(tau2: float) -> tuple[float, NDArray[np.float64]]:
        weights = 1 / (s**2 + tau2)
        return float(weights @ y / weights.sum()), weights

    def deviance(tau2: float) -> float:
        centre, weights = mean(tau2)
        return float(-np.log(weights).sum() + np.log(weights.sum()) + weights @ (y - centre) ** 2)

    largest = float(np.var(y, ddof=1) + s.max() ** 2)
    lowest = scan_then_brent(deviance, np.multiply(_SCAN, largest), tolerance=1e-10 * largest)
    tau2 = lowest.position if lowest.height < deviance(0.0) else 0.0
    centre, weights = mean(tau2)
    freedom = len(y) - 1
    scatter = float(weights @ (y - centre) ** 2) / freedom
    stderr = float(np.sqrt(max(1.0, scatter) / weights.sum()))
    reach = float(stats.t.ppf(0.5 + _LEVEL / 2, freedom)) * stderr
    exact = s**-2
    typical = freedom * exact.sum() / (exact.sum() ** 2 - (exact**2).sum())
    heterogeneity = float(tau2 / (tau2 + typical))
    return Combined(len(y), centre, stderr, centre - reach, centre + reach, float(np.sqrt(tau2)), heterogeneity)
