"""Whether a video tells the coefficients of an equation apart.

The information matrix S, scaled to a diagonal of 1, is a matrix of correlations. Where an eigenvalue vanishes, the
combination of coefficients in its eigenvector can change without any trace in the video.
"""

from collections.abc import Sequence

import numpy as np

from safe_pit_cm.numerics.arrays import Array

# Information below this is none, and its inverse would overflow.
_LEAST = 1e-280
# Eigenvalues below the first are looked at again with more exact information; below the second, they are zero.
DOUBTFUL, SMALLEST = 0.03, 1e-4


def scaled(information: Array) -> tuple[Array, Array]:
    """Information scaled to a diagonal of 1, and the products of the scales; its inverse times these is that of S."""
    scale = 1 / np.sqrt(np.maximum(np.diag(information), _LEAST))
    products = np.outer(scale, scale)
    return information * products, products


def smallest_eigenvalue(information: Array) -> tuple[float, Array]:
    """Smallest eigenvalue of the scaled information, and its eigenvector; 0 for a coefficient without information."""
    diagonal = np.diag(information)
    if not (diagonal > 0).all():
        return 0.0, (diagonal <= 0).astype(float)
    values, vectors = np.linalg.eigh(scaled(information)[0])
    return float(values[0]), vectors[:, 0]


def confounded(information: Array, names: Sequence[str]) -> list[str]:
    """Names of coefficients that the video cannot tell apart; empty where it can."""
    value, vector = smallest_eigenvalue(information)
    if value > SMALLEST:
        return []
    return [name for name, share in zip(names, np.abs(vector), strict=True) if share > 0.3 * np.abs(vector).max()]
