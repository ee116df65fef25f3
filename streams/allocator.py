"""Memory that was freed, given back to the system: the C library keeps it for later, which after a busy start is much."""

from __future__ import annotations

import ctypes
import ctypes.util


def give_back() -> bool:
    """Whether this system can, and did. Milliseconds; safe at any time."""
    name = ctypes.util.find_library("c")
    trim = getattr(ctypes.CDLL(name), "malloc_trim", None) if name else None
    if trim is None:
        return False
    trim(0)
    return True
