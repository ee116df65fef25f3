"""The client that does not block; see ``streams.serving.client``, where it is imported from.

Methods and answers are those of ``Client``, under the same names; a test holds the two against each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from pydantic import BaseModel

from streams.core.balance import Strategy
from streams.serving import calls
from streams.serving.access_client import AsyncAccessMethods
from streams.serving.calls import Call
from streams.serving.circuit_client import AsyncCircuitMethods
from streams.serving.client_errors import GatewayError
from streams.serving.following import PATIENCE, SILENCE, Following, Start
from streams.serving.graph.client import AsyncGraph
from streams.serving.login import AgentKey, Login
from streams.serving.said import (
    Asking,
    Ends,
    Forgetting,
    Linking,
    Name,
    Noted,
    Replicating,
    Said,
    Stating,
    Taking,
    Wanting,
    When,
)
from streams.serving.session_client import AsyncSessionMethods
from streams.serving.several import over_http
from streams.serving.transport import (
    DEFAULT_URL,
    RETRIES,
    TIMEOUT,
    Exchange,
    Patience,
    listed,
)
from streams.serving.verify import verify_consistency, verify_entry, verify_proof
from streams.serving.verify_context import verify_context, verify_state_view
from streams.serving.wire import (
    CacheState,
    ChainState,
    Change,
    ChangeType,
    ConsistencyView,
    Context,
    EmbeddingView,
    EntryProofView,
    ErasureView,
    Health,
    ImportView,
    IntentView,
    LogList,
    LogView,
    MemoryList,
    MemoryView,
    PackageView,
    ProofView,
    Ready,
    Receipt,
    RootView,
)
from streams.serving.wire.dashboard import AlertList, ComponentList, DashboardState, SeriesView
from streams.serving.wire.states import CheckpointView, StateView, SyncView, TransitionsView, VerificationView

A = TypeVar("A", bound=BaseModel)


class AsyncClient(AsyncAccessMethods, AsyncCircuitMethods, AsyncSessionMethods):
    """Client for asyncio; open it with ``async with``. ``url, strategy, weights, allow_unencrypted``: as of ``Client``.

    ``exchange``: another way to the gateway than HTTP to ``url``.
    """

    def __init__(
        self,
        url: str | Sequence[str] = DEFAULT_URL,
        timeout: float = TIMEOUT,
        *,
        token: str | None = None,
        key: AgentKey | None = None,
        retries: int = RETRIES,
        exchange: Exchange | None = None,
        strategy: Strategy = "adaptive",
        weights: Sequence[float] = (),
        allow_unencrypted: bool = False,
    ) -> None:
        urls = listed(url)
        self.url = urls[0]
        self._timeout, self._retries = timeout, retries
        self._login = Login(urls, token, key, allow_unencrypted=allow_unencrypted)
        self._http = over_http(urls, strategy, weights, allow_unencrypted=allow_unencrypted)
        self._exchange = exchange or self._http
        self.graph = AsyncGraph(self._send)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        await self._exchange.close()
        await self._http.close()

    async def query_context(
        self, agent: Name, query: str | None = None, max_results: int = 10, *, root: str | None = None, **more: Unpack[Asking]
    ) -> Context:
        """As Client.query_context."""
        answer = await self._send(calls.query_context(agent, query, max_results, **more))
        if more.get("proofs"):
            verify_context(answer, calls.agent_name(agent), root)
        return answer

    async def store(self, agent: Name, data: str | bytes, **said: Unpack[Said]) -> Receipt:
        """As Client.store."""
        return await self._send(calls.store(agent, data, **said))

    async def retrieve(self, agent: Name, **wanted: Unpack[Wanting]) -> MemoryList:
        """As Client.retrieve."""
        return await self._send(calls.retrieve(agent, **wanted))

    async def supersede(self, agent: Name, old: Ends, data: str | bytes, **said: Unpack[Said]) -> Receipt:
        """As Client.supersede."""
        return await self._send(calls.supersede(agent, old, data, **said))

    async def merge(self, agent: Name, old: Ends, data: str | bytes, **said: Unpack[Said]) -> Receipt:
        """As Client.merge."""
        return await self._send(calls.merge(agent, old, data, **said))

    async def link(self, agent: Name, source: Name, target: Name, relation: str = "", **more: Unpack[Linking]) -> Receipt:
        """As Client.link."""
        return await self._send(calls.link(agent, source, target, relation, **more))

    async def invalidate(self, agent: Name, old: Ends, reason: str = "", **noted: Unpack[Noted]) -> Receipt:
        """As Client.invalidate."""
        return await self._send(calls.invalidate(agent, old, reason, **noted))

    async def get(self, agent: Name, memory_id: Name, **when: Unpack[When]) -> MemoryView:
        """As Client.get."""
        return await self._send(calls.get(agent, memory_id, **when))

    async def forget(self, agent: Name, memory_id: Name, **more: Unpack[Forgetting]) -> Receipt:
        """As Client.forget."""
        return await self._send(calls.forget(agent, memory_id, **more))

    async def watch(
        self,
        agent: Name,
        *,
        types: Iterable[ChangeType] = (),
        cursor: str | None = None,
        start: Start = "now",
        patience: float = PATIENCE,
    ) -> AsyncGenerator[Change]:
        """As Client.watch; over HTTP to ``url`` always."""
        feed, attempt = Following(agent, types, cursor, start, patience), 0
        while True:
            try:
                await self._log_in()
                async with aclosing(self._http.way(attempt).lines(feed.call(), self._login.headers, SILENCE)) as lines:
                    async for line in lines:
                        if (change := feed.line(line)) is not None:
                            yield change
                raise feed.broken_off()
            except GatewayError as error:
                attempt += 1
                await asyncio.sleep(feed.pause(error))

    async def erasure(self, agent: Name) -> ErasureView:
        """As Client.erasure."""
        return await self._send(calls.erasure(agent))

    async def erase(self, agent: Name, *, wait: float = 0.0) -> ErasureView:
        """As Client.erase."""
        return await self._send(calls.erase(agent, wait=wait))

    async def root(self, agent: Name) -> RootView:
        """As Client.root."""
        return await self._send(calls.root(agent))

    async def agent_state(self, agent: Name, **more: Unpack[Stating]) -> StateView:
        """As Client.agent_state."""
        answer = await self._send(calls.agent_state(agent, **more))
        verify_state_view(answer, calls.agent_name(agent))
        return answer

    async def verify_state(self, agent: Name, expected: str, block: int | None = None) -> VerificationView:
        """As Client.verify_state."""
        return await self._send(calls.verify_state(agent, expected, block))

    async def transitions(self, agent: Name, start: int, end: int | None = None, limit: int = 1_000) -> TransitionsView:
        """As Client.transitions."""
        return await self._send(calls.transitions(agent, start, end, limit))

    async def sync(self, agent: Name, **more: Unpack[Replicating]) -> SyncView:
        """As Client.sync."""
        return await self._send(calls.sync(agent, **more))

    async def checkpoint(self, agent: Name) -> CheckpointView:
        """As Client.checkpoint."""
        return await self._send(calls.checkpoint(agent))

    async def proof(self, agent: Name, memory_id: Name, memory: MemoryView | None = None, root: str | None = None) -> ProofView:
        """As Client.proof."""
        answer = await self._send(calls.proof(agent, memory_id))
        verify_proof(answer, memory, root)
        return answer

    async def export(self, agent: Name, *, format: str = "lines", compress: bool = False) -> PackageView:  # noqa: A002
        """As Client.export."""
        return await self._send(calls.export(agent, format=format, compress=compress))

    async def export_file(self, agent: Name, *, format: str = "lines", compress: bool = False) -> bytes:  # noqa: A002
        """As Client.export_file."""
        return (await self._send(calls.export_file(agent, format=format, compress=compress))).content

    async def import_package(self, agent: Name, package: bytes, **how: Unpack[Taking]) -> ImportView:
        """As Client.import_package."""
        return await self._send(calls.import_package(agent, package, **how))

    async def proof_document(self, agent: Name, memory_id: Name) -> dict[str, Any]:
        """As Client.proof_document."""
        return (await self._send(calls.proof_document(agent, memory_id))).root

    async def logs(self) -> LogList:
        """As Client.logs."""
        return await self._send(calls.logs())

    async def log(self, partition: int) -> LogView:
        """As Client.log."""
        return await self._send(calls.log(partition))

    async def log_entry(self, partition: int, index: int, size: int | None = None, root: str | None = None) -> EntryProofView:
        """As Client.log_entry."""
        answer = await self._send(calls.log_entry(partition, index, size=size))
        verify_entry(answer, partition, index, size, root)
        return answer

    async def log_consistency(self, partition: int, first: int, first_root: str, size: int | None = None) -> ConsistencyView:
        """As Client.log_consistency."""
        answer = await self._send(calls.log_consistency(partition, first, first_root, size=size))
        verify_consistency(answer, partition, first, first_root, size)
        return answer

    async def generate_embedding(self, text: str) -> EmbeddingView:
        """As Client.generate_embedding."""
        return await self._send(calls.generate_embedding(text))

    async def parse_intent(self, transaction: Mapping[str, Any]) -> IntentView:
        """As Client.parse_intent."""
        return await self._send(calls.parse_intent(transaction))

    async def chain(self) -> ChainState:
        """As Client.chain."""
        return await self._send(calls.chain())

    async def cache(self) -> CacheState:
        """As Client.cache."""
        return await self._send(calls.cache())

    async def resize_cache(self, size_mb: int, l1_entries: int | None = None) -> CacheState:
        """As Client.resize_cache."""
        return await self._send(calls.resize_cache(size_mb, l1_entries))

    async def dashboard(self) -> DashboardState:
        """As Client.dashboard."""
        return await self._send(calls.dashboard())

    async def components(self) -> ComponentList:
        """As Client.components."""
        return await self._send(calls.components())

    async def alerts(self) -> AlertList:
        """As Client.alerts."""
        return await self._send(calls.alerts())

    async def performance(self, metric: str, duration: str = "5m") -> SeriesView:
        """As Client.performance."""
        return await self._send(calls.performance(metric, duration))

    async def export_dashboard(self, format: str = "json") -> bytes:  # noqa: A002  (the API's name)
        """As Client.export_dashboard."""
        return (await self._send(calls.export_dashboard(format))).content

    async def live(self) -> Ready:
        """As Client.live."""
        return await self._send(calls.live())

    async def ready(self) -> Ready:
        """As Client.ready."""
        return await self._send(calls.ready())

    async def health(self) -> Health:
        """As Client.health."""
        return await self._send(calls.health())

    async def _send(self, call: Call[A]) -> A:
        patience = Patience(self._timeout, self._retries)
        while True:
            try:
                await self._log_in(call)
                reply = await self._exchange(call, self._login.headers, patience.seconds)
                return call.read(reply.status, reply.body, reply.retry_after, reply.media_type)
            except GatewayError as error:
                if not self._login.ended(error):
                    await asyncio.sleep(patience.pause(error))

    async def _log_in(self, call: Call[Any] | None = None) -> None:
        if self._login.due(call):
            self._login.take(await self._send(self._login.answer(await self._send(self._login.ask()))))
