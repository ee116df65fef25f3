"""Reads a safetensors file: a u64 header length, a JSON header of names, types, shapes and offsets, then the tensors.

Assumes a file whose hash was checked; a wrong one still raises ConfigurationError rather than yielding other numbers.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streams.errors import ConfigurationError

Weights = dict[str, NDArray[np.float32]]


def read_weights(path: Path) -> Weights:
    """Tensors by name, mapped from the file, not copied. Tensors of other types than float32 are left out."""
    try:
        raw = np.memmap(path, np.uint8, "r")
        size = int(raw[:8].view("<u8")[0])
        header = json.loads(bytes(raw[8 : 8 + size]))
        return {
            name: _tensor(raw[8 + size :], entry)
            for name, entry in header.items()
            if name != "__metadata__" and entry["dtype"] == "F32"
        }
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ConfigurationError(f"{path} is not a safetensors file: {error}") from None


def _tensor(body: NDArray[np.uint8], entry: dict[str, list[int]]) -> NDArray[np.float32]:
    start, end = entry["data_offsets"]
    return body[start:end].view("<f4").reshape(entry["shape"])
