"""Waiting for a store that is away for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from streams.errors import StoreError


async def patiently(use: Callable[[], Awaitable[Any]], seconds: float = 60.0) -> Any:
    """The first answer that is no StoreError."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await use()
        except StoreError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.2)
