"""Several nodes of one chain: one of them leads, all of them answer what a hash alone decides.

Nodes stand at different heads, so whatever depends on where the head is (numbers, tags, whether a block is known) is asked of
the leading node alone. It leads until it fails, which is told once, by SourceChangedError: what was learned of its view must
be forgotten, and the identity of the next one checked. Bodies and receipts by hash are the same everywhere and are checked when
they come, so they are spread; what one node does not have, refuses or fails at, the leading one is asked for.
Invariant: every answer that is not by hash between two SourceChangedErrors is of one node.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, TypeVar

from connectors.chain.jsonrpc import Call, JsonRpc, RpcError, public
from streams.core.balance import Balance, Strategy
from streams.errors import ConfigurationError, SourceChangedError, SourceError, may_pass
from streams.policy import State

T = TypeVar("T")
Ask = Callable[[JsonRpc, list[Call]], Awaitable[list[Any]]]
log = logging.getLogger(__name__)


def connections(urls: Sequence[str], *, allow_unencrypted: bool = False) -> list[JsonRpc]:
    """One to each address, each with a circuit of its own. Raises ConfigurationError."""
    seen: Counter[str] = Counter()
    found = []
    for url in urls:
        found.append(JsonRpc(url, allow_unencrypted=allow_unencrypted, namesakes=seen[public(url)]))
        seen[public(url)] += 1
    return found


class Nodes:
    """``weights``: of each node, for the strategy ``weighted``; empty: all alike. Raises ConfigurationError."""

    def __init__(self, nodes: Sequence[JsonRpc], strategy: Strategy = "adaptive", weights: Sequence[float] = ()) -> None:
        if weights and len(weights) != len(nodes):
            raise ConfigurationError(
                f"chain.rpc_weights has {len(weights)} rows for {len(nodes)} nodes",
                "One for chain.rpc_url, and one for each of chain.rpc_urls; or none.",
            )
        self._nodes = list(nodes)
        self._balance = Balance(strategy, weights or [1.0] * len(nodes))
        self._lead = 0

    @property
    def lead(self) -> JsonRpc:
        """The node that leads."""
        return self._nodes[self._lead]

    async def leading(self, ask: Callable[[JsonRpc], Awaitable[T]]) -> T:
        """What the leading node says. Raises SourceChangedError when it failed and another one leads from now on."""
        lead = self._lead
        try:
            return await ask(self._nodes[lead])
        except SourceError as error:
            if may_pass(error) and self._handed_on(lead):
                raise SourceChangedError(f"{error.message}; {self.lead.name} is asked from now on", error.hint) from None
            raise

    def _handed_on(self, failed: int) -> bool:
        """Lets the next node lead that may be asked, if there is one. Of several calls that fail together one is enough."""
        if self._lead != failed:
            return True
        others = [(failed + step) % len(self._nodes) for step in range(1, len(self._nodes))]
        able = [node for node in others if self._may_be_asked(node)]
        if not able:
            return False
        log.warning("%s leads no more, %s does", self._nodes[failed].name, self._nodes[able[0]].name)
        self._lead = able[0]
        return True

    def _may_be_asked(self, node: int) -> bool:
        return self._nodes[node].policy.breaker.now is not State.OPEN

    def all_in(self, nodes: Collection[JsonRpc]) -> bool:
        """Whether every node is among these."""
        return all(node in nodes for node in self._nodes)

    async def spread(self, calls: list[Call], ask: Ask, but: Collection[JsonRpc] = ()) -> list[Any]:
        """Results of calls by hash, from any node ``but`` those. Raises as ``leading`` does."""
        able = [node for node in range(len(self._nodes)) if self._may_be_asked(node) and self._nodes[node] not in but]
        if not calls or not able or (len(able) == 1 and (not but or able[0] == self._lead)):
            return await self.leading(lambda node: ask(node, calls))
        chosen = self._balance.begin(able)
        results: list[Any] = [None] * len(calls)
        started, good = time.monotonic(), False
        try:
            results = await ask(self._nodes[chosen], calls)
            good = True
        except SourceError as error:
            log.info("%s; %s is asked instead", error.message, self.lead.name)
        finally:
            self._balance.end(chosen, time.monotonic() - started, good)
        lacking = [place for place, result in enumerate(results) if result is None or isinstance(result, RpcError)]
        if lacking and (chosen != self._lead or not good):
            asked = [calls[place] for place in lacking]
            for place, result in zip(lacking, await self.leading(lambda node: ask(node, asked)), strict=True):
                results[place] = result
        return results

    async def close(self) -> None:
        """Closes all connections; safe to call twice."""
        for node in self._nodes:
            await node.close()
