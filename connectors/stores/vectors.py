"""What every vector store asks of a vector, so that a wrong one is refused at the door and not met in a search."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streams.errors import StoreError

DIMENSION = 384
NORM_TOLERANCE = 1e-3


def check_vector(vector: NDArray[np.float32], dimension: int) -> NDArray[np.float32]:
    """``vector`` as float32, if it is finite, L2-normalised and of shape (dimension,)."""
    row = np.asarray(vector, dtype="<f4")
    if row.shape != (dimension,):
        raise StoreError(
            f"a vector has shape {row.shape}, the store holds ({dimension},)", "Use one embedding model per store."
        )
    norm = float(np.linalg.norm(row))
    if not abs(norm - 1.0) <= NORM_TOLERANCE:  # also refuses NaN
        raise StoreError(f"a vector has length {norm}, not 1")
    return row


def check_query(vector: NDArray[np.float32], dimension: int) -> NDArray[np.float32]:
    """As ``check_vector``, for a question; normalises what is finite and not zero."""
    row = np.asarray(vector, dtype="<f4")
    norm = float(np.linalg.norm(row)) if row.shape == (dimension,) else 0.0
    if not 0.0 < norm < np.inf:
        return check_vector(row, dimension)
    return np.asarray(row / np.float32(norm), dtype=np.float32)
