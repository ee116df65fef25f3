"""``newHeads`` over WebSocket, as a hint that it is time to look; what the node pushes is not read any further.

Nodes differ in what they announce: geth only the new tip of a reorg, and nothing at all on a silent rewind. So a hint makes the
producer poll earlier, and losing one costs at most a poll interval. Reconnects for ever, with growing pauses.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidURI, WebSocketException

from connectors.chain.jsonrpc import public
from streams.errors import SourceError

log = logging.getLogger(__name__)
SUBSCRIBE = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]}).decode()
MAX_MESSAGE = 1 << 20
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 30.0


async def hints(url: str) -> AsyncIterator[None]:
    """Yields for every message received. Runs until it is closed. Raises SourceError for what is no WebSocket address."""
    pause = FIRST_PAUSE
    while True:
        try:
            async with connect(url, max_size=MAX_MESSAGE, compression=None) as socket:
                await socket.send(SUBSCRIBE)
                async for _ in socket:
                    pause = FIRST_PAUSE
                    yield None
            reason = "closed by the node"
        except InvalidURI:  # whose text is the whole address, key and all
            raise SourceError(f"{public(url)} is no WebSocket address", "Give it as ws://host:port or wss://host.") from None
        except (OSError, WebSocketException, TimeoutError) as error:
            reason = str(error) or type(error).__name__
        log.warning("lost %s (%s); polling goes on, next try in %.2f s", public(url), reason, pause)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
