"""The time of day, for what is measured and shown. Nothing that decides what becomes of a record may ask for it."""

from __future__ import annotations

import time


def time_of_day() -> float:
    """Seconds since 1970."""
    return time.time()
