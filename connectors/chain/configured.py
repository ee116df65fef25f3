"""The nodes of the settings, for whoever asks them: all of them behind one source, or one after the other.

Invariant: what is asked in one go is answered by one node; where that fails and another one may be asked, all is asked again.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from connectors.chain.jsonrpc import JsonRpc
from connectors.chain.nodes import Nodes, connections
from connectors.chain.rpc import RpcSource
from connectors.chain.verify import Level
from streams.errors import SourceChangedError
from streams.settings import ChainSettings

_log = logging.getLogger(__name__)
T = TypeVar("T")


def node_source(chain: ChainSettings, rpc: str | None = None, *, level: Level | None = None, hints: bool = False) -> RpcSource:
    """A source of blocks from the nodes of the settings, or from the node at ``rpc`` alone. ``level``: instead of theirs.

    ``hints``: also listens to the node's announcements. Raises ConfigurationError.
    """
    return RpcSource(
        rpc or chain.rpc_url,
        chain.ws_url if hints else None,
        level=level or chain.verify,
        allow_unencrypted=chain.allow_unencrypted,
        others=() if rpc else chain.rpc_urls,
        strategy=chain.balance,
        weights=() if rpc else chain.rpc_weights,
    )


async def ask_nodes(chain: ChainSettings, rpc: str | None, ask: Callable[[JsonRpc], Awaitable[T]]) -> T:
    """What ``ask`` gives of one of the nodes of the settings, the first that answers, or of the node at ``rpc`` alone.

    Raises ConfigurationError, SourceError.
    """
    urls = [rpc] if rpc else [chain.rpc_url, *chain.rpc_urls]
    nodes = Nodes(connections(urls, allow_unencrypted=chain.allow_unencrypted), chain.balance)
    try:
        for _ in urls[1:]:
            try:
                return await nodes.leading(ask)
            except SourceChangedError as error:
                _log.warning("%s", error.message)
        return await nodes.leading(ask)
    finally:
        await nodes.close()
