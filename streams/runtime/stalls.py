"""How late the event loop comes to its turns. It sends the heartbeats too, so a session timeout must be well above."""

from __future__ import annotations

import asyncio

from streams.runtime import metrics

STEP = 0.05


async def watch_stalls() -> None:
    """Measures until cancelled."""
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + STEP
        await asyncio.sleep(STEP)
        metrics.STALL_SECONDS.observe(max(0.0, clock() - due))
