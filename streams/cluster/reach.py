"""Whether anybody listens where the brokers are. Says nothing of whether they let one in, or have a leader."""

from __future__ import annotations

import asyncio
from contextlib import suppress

SECONDS = 2.0


async def any_listens(bootstrap: str, seconds: float = SECONDS) -> bool:
    """Whether one of HOST:PORT,... takes a connection within ``seconds``. Never raises for what does not answer."""
    places = [place.strip() for place in bootstrap.split(",") if place.strip()]
    asked = [asyncio.create_task(_listens(place, seconds)) for place in places]
    try:
        for answer in asyncio.as_completed(asked):
            if await answer:
                return True
        return False
    finally:
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def _listens(place: str, seconds: float) -> bool:
    host, _, port = place.rpartition(":")
    try:
        async with asyncio.timeout(seconds):
            _reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, TimeoutError, ValueError):
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
