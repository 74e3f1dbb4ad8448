"""The types that all packages share. Importing them does not import numpy: 13 MB a process."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image: TypeAlias = NDArray[np.uint8]
    """(height, width, 3) BGR, or (height, width) grey"""
    Signal: TypeAlias = NDArray[np.float32]
    """(n,) mono sound, full scale -1..1"""
    Vector: TypeAlias = NDArray[np.float32]
    """(n,), such as the scores of n labels"""
else:
    Image = Signal = Vector = Any

Box: TypeAlias = tuple[float, float, float, float]
"""x, y, width, height in px"""
Scores: TypeAlias = Mapping[str, float]
"""{label: probability}"""
