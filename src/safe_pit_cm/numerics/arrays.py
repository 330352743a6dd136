"""Arrays of NumPy or torch: one definition serves both through the array API standard."""

from typing import Any

import array_api_compat
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def namespace(*arrays: Any) -> Any:
    """Array API namespace of the arrays: NumPy's, or torch's if one of them is a tensor. Imports no torch by itself."""
    return array_api_compat.array_namespace(*arrays)
