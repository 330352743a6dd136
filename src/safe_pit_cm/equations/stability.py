"""Von Neumann stability of forward Euler on the five-point stencil (§2.4, Appendix A.2).

One step multiplies the Fourier mode k by ``g_k = 1 + α Δτ λ_k`` with ``0 ≤ λ_k ≤ λ_max``. For diffusion
(α < 0) every mode stays bounded if and only if ``|α| Δτ λ_max ≤ 2`` (Eq. 4). For mobility (α > 0) every mode
grows, whatever the step: there the same number measures accuracy, not stability.
"""

import math

from safe_pit_cm.equations.terms import TRANSPORT
from safe_pit_cm.errors import UserError


def largest_eigenvalue(spacing: float) -> float:
    """Bound λ_max = 8/Δx² on the spectrum of −∇² on the five-point stencil; reached on an even grid.

    Parameters
    ----------
    spacing
        Grid spacing Δx, length units.

    Returns
    -------
    float
        λ_max, 1/length².
    """
    (laplacian,) = TRANSPORT.terms
    return laplacian.largest_symbol(spacing)


def stability_number(alpha: float, step: float, spacing: float) -> float:
    """Stability number |α| Δτ λ_max; diffusion is stable up to 2 (Eq. 4)."""
    return TRANSPORT.stability_number({"alpha": alpha}, step, spacing)


def largest_stable_alpha(step: float, spacing: float) -> float:
    """Largest |α| that forward Euler propagates stably with steps of ``step`` (Eqs. 5 and 7)."""
    return 2.0 / (step * largest_eigenvalue(spacing))


def step_reduction(alpha: float, step: float, spacing: float) -> int:
    """Smallest whole number m for which steps of ``step / m`` are stable (A.2: "reduces Δt if needed").

    Δt is divided by a whole number so that the saved frames keep their times.
    """
    number = stability_number(alpha, step, spacing)
    # Rounding must not turn a number that is exactly 2 into a reduction.
    return max(1, math.ceil(number / 2.0 * (1.0 - 1e-12)))


def limited_step_reduction(alpha: float, step: float, spacing: float, limit: int) -> int:
    """:func:`step_reduction`, refused beyond ``limit``.

    Raises
    ------
    UserError
        If the step would have to be reduced by more than ``limit``: such a time step is more
        likely an error in a unit or a number than a choice.
    """
    reduction = step_reduction(alpha, step, spacing)
    if reduction > limit:
        largest_step = 2.0 / (abs(alpha) * largest_eigenvalue(spacing))
        # Three digits, rounded down: rounded up, the recommended step would itself be unstable.
        unit = 10.0 ** (math.floor(math.log10(largest_step)) - 2)
        raise UserError(
            f"the time step {step:g} is unstable for |α| = {abs(alpha):g} at grid spacing {spacing:g}: "
            f"|α| Δt λ_max = {stability_number(alpha, step, spacing):.3g} must not exceed 2; the step would "
            f"have to be divided by {reduction}, more than the {limit} allowed; "
            f"choose a time step of at most {math.floor(largest_step / unit) * unit:.3g}"
        )
    return reduction
