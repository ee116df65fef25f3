"""The event loop of programs that run for long: libuv's, where the system has it, which costs a worker fewer CPU seconds.

Invariant: a program behaves the same on either loop; ``perf.eos`` measures what the quicker one is worth.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")
PLAIN = "MONMOUTH_PLAIN_LOOP"
"""Set in the environment: asyncio's own loop, to compare or to look for a fault."""


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """As ``asyncio.run``."""
    if sys.platform == "win32" or PLAIN in os.environ:
        return asyncio.run(main)
    import uvloop  # noqa: PLC0415  (commands that run for a moment need not load it)

    return uvloop.run(main)
