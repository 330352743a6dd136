"""Maximum likelihood for a video of decaying modes, by variable projection.

Elimination of the amplitudes of the modes (:mod:`~safe_pit_cm.inference.modes`) leaves a one-dimensional likelihood
``−Σ w_k RSS_k(D)/2σ²``, whose maximum is unbiased whatever the initial field.

**Weights.** There are as many amplitudes as modes. Modes that consist of noise add to the scatter of D without
informing it (Neyman and Scott 1948), so the modes of a band of wavenumbers are weighted by the share of their measured
power that is not noise, ``w = 1 − σ²/|g|² / ⟨â²⟩``: 1 for a strong signal, 0 for none. Fixed weights cause no
bias. With u = ∂g/∂θ less its projection on g, the score of a mode has the variance ``w² |u|² ⟨â²⟩/σ²`` and the
slope ``w |u|² (⟨â²⟩ − σ²/|g|²)/σ²``; standard error and interval use their ratio (Godambe 1960), which is 1 when every
amplitude exceeds the noise.
"""

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Chebyshev
from numpy.polynomial.chebyshev import chebvander

from safe_pit_cm.inference.mode_search import climb, highest, search
from safe_pit_cm.inference.modes import BANDS, Modes, Score, band_of
from safe_pit_cm.numerics.arrays import Array

# The profile likelihood extends this many standard errors to either side.
PROFILE_REACH = 4.0
# Where that is no more than this share of D, it is a polynomial of low degree.
SHORT = 0.1
# The weights are determined again, at most so many times in all, where the fit has lowered the noise by a tenth.
_WEIGHINGS = 3


@dataclass(frozen=True)
class Fit:
    """Maximum-likelihood fit of the modes of a video.

    Attributes
    ----------
    theta
        D, and β where bleaching is estimated.
    covariance
        Of θ.
    noise
        σ, standard deviation of a pixel's noise, estimated with the degrees of freedom left by the amplitudes.
    weights
        w of each mode.
    inflation
        Variance of the score over its slope; 1 when every amplitude exceeds the noise.
    bound
        Cramér–Rao bound on the standard deviation of D, at the estimated amplitudes.
    strong
        The modes of positive weight.
    curve
        Logarithm of the likelihood of D, not yet calibrated, relative to its maximum; None where it is no polynomial of
        low degree.
    """

    theta: Array
    covariance: Array
    noise: float
    weights: Array
    inflation: float
    bound: float
    strong: Modes
    curve: Chebyshev | None = None

    @property
    def diffusivity(self) -> float:
        """D, length²/time."""
        return float(self.theta[0])

    @property
    def stderr(self) -> float:
        """Standard error of D."""
        return float(np.sqrt(self.covariance[0, 0]))


def fit_modes(modes: Modes, *, floor: float = 0.0, start: Array | None = None) -> Fit:
    """Fit D (and β) to the modes of a video.

    Parameters
    ----------
    modes
        Of :func:`reduce_video`.
    floor
        Smallest σ that is accepted: that of the rounding of the pixels.
    start
        θ to start from instead of searching.
    """
    # Of all modes: the strong ones alone would allow a larger D, at which others change sign.
    largest = highest(modes)
    theta = search(modes) if start is None else start
    variance = max(noise_power(modes, theta), floor**2)
    for _ in range(_WEIGHINGS):
        weights = _weights(modes, theta, variance)
        strong = modes.subset(np.flatnonzero(weights > 0))
        strong_weights = weights[weights > 0]
        theta, score = climb(strong, theta, strong_weights, (0.0, largest))
        before, variance = variance, max(noise_power(modes, theta), floor**2)
        if start is not None or variance > 0.9 * before:
            break
    curve = _curve(strong, theta, strong_weights, score, variance, largest)
    if curve is None:
        information = _observed_information(strong, theta, strong_weights, variance, score.slope(variance), largest)
    else:
        information = np.array([[-curve.deriv(2)(theta[0])]])
    inverse = np.linalg.pinv(information)
    covariance = inverse @ (score.variance / variance) @ inverse
    inflation = covariance[0, 0] / inverse[0, 0] if inverse[0, 0] > 0 else 1.0
    bound = np.sqrt(max(np.linalg.pinv(score.information(variance) / variance)[0, 0], 0.0))
    return Fit(theta, covariance, np.sqrt(variance), weights, float(inflation), float(bound), strong, curve)


def _curve(
    modes: Modes, theta: Array, weights: Array, score: Score, noise_power: float, largest: float
) -> Chebyshev | None:
    """The logarithm of the likelihood of D about its maximum, from values and slopes at the maximum and both ends.

    None where bleaching is estimated too, where it extends too far, or where it is not concave.
    """
    reach = PROFILE_REACH * float(np.sqrt(noise_power / max(score.slope(noise_power)[0, 0], 1e-300)))
    if modes.bleaching or not 0 < reach <= min(SHORT * theta[0], largest - theta[0]):
        return None
    nodes = np.array([-1.0, 0.0, 1.0])
    scores = [modes.score(theta - reach, weights), score, modes.score(theta + reach, weights)]
    values = np.array([(score.power - each.power) / 2 for each in scores])
    slopes = np.array([each.score[0] * reach for each in scores])
    degree = 2 * len(nodes) - 1
    of_slopes = np.stack([Chebyshev.basis(each).deriv()(nodes) for each in range(degree + 1)], axis=1)
    rows = np.concatenate([chebvander(nodes, degree), of_slopes])
    found = np.linalg.solve(rows, np.concatenate([values, slopes]) / noise_power)
    curve = Chebyshev(found, domain=(theta[0] - reach, theta[0] + reach))
    return curve if curve.deriv(2)(theta[0]) < 0 else None


def noise_power(modes: Modes, theta: Array) -> float:
    """σ² from all residuals of the model at θ, over the degrees of freedom left by the amplitudes."""
    return (modes.remainder + modes.residual_power(theta)) / max(modes.degrees_of_freedom, 1)


def _weights(modes: Modes, theta: Array, noise_power: float) -> Array:
    """Share of the measured power of each band that is not noise; 0 for bands without significant amplitude."""
    band = band_of(modes.symbol)

    def of_block(_: slice, block: Modes) -> tuple[Array, Array]:
        projection = block.at(theta)
        return np.square(projection.amplitude), (noise_power / projection.norm).take(block.index)

    measured, noise = (np.concatenate(parts) for parts in zip(*modes.over_blocks(of_block), strict=True))
    count = np.bincount(band, minlength=BANDS)
    measured_sum = np.bincount(band, measured, BANDS)
    noise_sum = np.bincount(band, noise, BANDS)
    share = 1 - noise_sum / np.maximum(measured_sum, 1e-300)
    significant = measured_sum > noise_sum * (1 + 3 * np.sqrt(2 / np.maximum(count, 1)))
    share = np.where(significant, share, 0.0)
    return share[band] if share.any() else np.ones(len(band))


def _observed_information(
    modes: Modes, theta: Array, weights: Array, noise_power: float, expected: Array, largest: float
) -> Array:
    """−∂score/∂θ by central differences, over σ²; ``expected`` is the slope that is expected."""
    size = 0.05 * np.sqrt(noise_power / np.maximum(np.diag(expected), 1e-300))
    # D at an end of its range has no neighbour on one side.
    room = min(theta[0], largest - theta[0])
    if room <= 1e-6 * theta[0]:
        return expected / noise_power
    size[0] = min(size[0], 0.5 * room)
    information = np.empty_like(expected)
    for j in range(len(theta)):
        shift = np.zeros(len(theta))
        shift[j] = size[j]
        ahead, behind = (modes.score(theta + sign * shift, weights).score for sign in (1, -1))
        information[:, j] = -(ahead - behind) / (2 * size[j])
    information = (information + information.T) / 2
    # Far from the model (or for a video that shows nothing) the observed curvature may not be positive.
    if np.linalg.eigvalsh(information).min() <= 0:
        information = expected
    return information / noise_power
