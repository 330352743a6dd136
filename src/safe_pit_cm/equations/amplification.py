"""The amplification factor of forward Euler, and the rate of decay that it amounts to (§2.4).

One step of length δ multiplies a mode of symbol λ of −∇² by ``1 + α δ λ``, with α = −D for diffusion. Every function
takes arrays of NumPy or torch.
"""

from typing import Any

from safe_pit_cm.numerics.arrays import namespace


def amplification_factor(alpha: Any, symbol: Any, interval: float, substeps: float) -> Any:
    """Amplification factor g_k = (1 + α Δτ λ_k)^S of S sub-steps over one frame interval.

    Parameters
    ----------
    alpha
        Transport coefficient, an array of any shape ``(...)``, length²/time.
    symbol
        λ_k of −∇², shape ``(ky, kx)``, float64, 1/length².
    interval
        Frame interval Δt_f, time units.
    substeps
        S; a whole number unless every mode keeps its sign.

    Returns
    -------
    array
        Shape ``(..., ky, kx)``, float64: at S = 50 single precision would lose two digits.
    """
    growth = namespace(alpha).astype(alpha, symbol.dtype)[..., None, None] * symbol
    return (1.0 + (interval / substeps) * growth) ** substeps


def decay_rate(diffusivity: Any, symbol: Any, step: float) -> Any:
    """Rate s with which modes decay as exp(−s t) when they are multiplied by 1 − D δ λ every step δ, 1/time."""
    return -namespace(symbol).log1p(-diffusivity * step * symbol) / step


def decay_rate_slope(diffusivity: Any, symbol: Any, step: float) -> Any:
    """∂s/∂D of :func:`decay_rate`, 1/length²."""
    return symbol / (1.0 - diffusivity * step * symbol)
