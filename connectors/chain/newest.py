"""A node's newest block, asked on a connection of its own, for whoever looks at the node's health."""

from __future__ import annotations

from connectors.chain.convert import quantity
from connectors.chain.jsonrpc import JsonRpc, RpcError
from streams.errors import SourceError
from streams.ports.chain import Newest


class NewestBlock:
    """Of the node at ``url``. Raises ConfigurationError for an address that is none."""

    def __init__(self, url: str, *, allow_unencrypted: bool = False) -> None:
        self._rpc = JsonRpc(url, allow_unencrypted=allow_unencrypted)

    async def look(self) -> Newest:
        """Raises SourceError where the node does not answer, or with nonsense."""
        served, head = await self._rpc.batch([("eth_chainId", []), ("eth_getBlockByNumber", ["latest", False])])
        for answer in (served, head):
            if isinstance(answer, RpcError):
                raise answer
        try:
            return Newest(quantity(served), quantity(head["number"]), quantity(head["timestamp"]))
        except (TypeError, ValueError, KeyError):
            raise SourceError(f"{self._rpc.name} answered with something that is no chain and no block") from None

    async def close(self) -> None:
        """Releases the connection."""
        await self._rpc.close()
