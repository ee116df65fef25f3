"""Python clients of the gateway: ``Client`` blocks, ``AsyncClient`` does not; methods and answers are the same.

    with Client("http://127.0.0.1:8080", token=token) as monmouth:
        monmouth.store(agent, "prefers ETH", wait=10)
        print(monmouth.query_context(agent, "what does it prefer?").items[0].text)

Every call is idempotent (commands carry an id), so one that meets a closed connection, or a gateway that asks for patience, is
sent again; see ``streams.serving.transport``. What ``proof``, ``log_entry`` and ``log_consistency`` return has been verified.
``graph`` holds what is asked of the knowledge graph: see ``streams.serving.graph.client``.
Errors: a GatewayError of the type that goes with the name of the error (``streams.serving.client_errors``), ProofRefusedError.
``token``: what the gateway gave the caller; it is sent in a header, and shows in no message. ``key`` instead: an agent's key,
with which the client gets tokens itself (``streams.serving.login``).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from pydantic import BaseModel

from streams.core.balance import Strategy
from streams.serving import calls
from streams.serving.access_client import AccessMethods
from streams.serving.async_client import AsyncClient
from streams.serving.blocking import over_http
from streams.serving.calls import Call
from streams.serving.circuit_client import CircuitMethods
from streams.serving.client_errors import GatewayError
from streams.serving.following import PATIENCE, SILENCE, Following, Start
from streams.serving.graph.client import Graph
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
from streams.serving.session_client import SessionMethods
from streams.serving.transport import (
    DEFAULT_URL,
    RETRIES,
    TIMEOUT,
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

__all__ = ["AgentKey", "AsyncClient", "Client", "Login"]

A = TypeVar("A", bound=BaseModel)


class Client(AccessMethods, CircuitMethods, SessionMethods):
    """Blocking client on one connection to each gateway; safe for threads.

    ``url``: of the gateway, or several, of which one is chosen for each call (``strategy, weights``), and another one where it
    gives no answer. ``allow_unencrypted``: a token may go to another machine over plain http, else UnencryptedError.
    """

    def __init__(
        self,
        url: str | Sequence[str] = DEFAULT_URL,
        timeout: float = TIMEOUT,
        *,
        token: str | None = None,
        key: AgentKey | None = None,
        retries: int = RETRIES,
        strategy: Strategy = "adaptive",
        weights: Sequence[float] = (),
        allow_unencrypted: bool = False,
    ) -> None:
        urls = listed(url)
        self.url = urls[0]
        self._timeout, self._retries = timeout, retries
        self._login = Login(urls, token, key, allow_unencrypted=allow_unencrypted)
        self._http = over_http(urls, strategy, weights, allow_unencrypted=allow_unencrypted)
        self.graph = Graph(self._send)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def query_context(
        self, agent: Name, query: str | None = None, max_results: int = 10, *, root: str | None = None, **more: Unpack[Asking]
    ) -> Context:
        """The agent's live memories nearest to the question, or those of a window, within a budget of tokens.

        More: ``min_similarity, max_tokens, window, filter, cursor, order, render, truncate``, the moment as for ``get``;
        ``wait_for`` (write_token of a receipt), ``wait_for_block`` and ``wait``: answers when the effect shows, or raises
        NotVisibleYetError; ``proofs``: every item is proven and has been verified, against ``root`` if you trust one.
        """
        answer = self._send(calls.query_context(agent, query, max_results, **more))
        if more.get("proofs"):
            verify_context(answer, calls.agent_name(agent), root)
        return answer

    def store(self, agent: Name, data: str | bytes, **said: Unpack[Said]) -> Receipt:
        """Keeps a memory. More: ``type, importance, tags, media_type, subject, predicate, valid_from, valid_to, links,
        timestamp, command_id, wait``.
        """
        return self._send(calls.store(agent, data, **said))

    def retrieve(self, agent: Name, **wanted: Unpack[Wanting]) -> MemoryList:
        """Memories, newest first, or as ``order`` says: ``newest`` or ``oldest``.

        ``types, tags, min_importance, since, until, max_age, limit, amendments``, and as ``get``.
        """
        return self._send(calls.retrieve(agent, **wanted))

    def supersede(self, agent: Name, old: Ends, data: str | bytes, **said: Unpack[Said]) -> Receipt:
        """Keeps a memory in the place of ``old``: ids, or a mapping to when each ceased to be true. More: as ``store``."""
        return self._send(calls.supersede(agent, old, data, **said))

    def merge(self, agent: Name, old: Ends, data: str | bytes, **said: Unpack[Said]) -> Receipt:
        """Keeps a memory that says what ``old`` said. More: as ``store``."""
        return self._send(calls.merge(agent, old, data, **said))

    def link(self, agent: Name, source: Name, target: Name, relation: str = "", **more: Unpack[Linking]) -> Receipt:
        """Says that two memories belong together. More: ``strength, timestamp, command_id, wait``."""
        return self._send(calls.link(agent, source, target, relation, **more))

    def invalidate(self, agent: Name, old: Ends, reason: str = "", **noted: Unpack[Noted]) -> Receipt:
        """Says that ``old`` is no longer true; see ``supersede``. More: ``timestamp, command_id, wait``."""
        return self._send(calls.invalidate(agent, old, reason, **noted))

    def get(self, agent: Name, memory_id: Name, **when: Unpack[When]) -> MemoryView:
        """One live memory that is true now, or at the moment named: ``as_of_block, as_of_time, valid_at, include_invalid``.

        Can wait as ``query_context`` does.
        """
        return self._send(calls.get(agent, memory_id, **when))

    def forget(self, agent: Name, memory_id: Name, **more: Unpack[Forgetting]) -> Receipt:
        """Forgets a memory. More: ``command_id``, ``wait``."""
        return self._send(calls.forget(agent, memory_id, **more))

    def watch(
        self,
        agent: Name,
        *,
        types: Iterable[ChangeType] = (),
        cursor: str | None = None,
        start: Start = "now",
        patience: float = PATIENCE,
    ) -> Iterator[Change]:
        """What happens to the agent's memories, in order, for as long as you read: from now on, or after a change's ``cursor``.

        Connects again by itself, without a gap; raises when no gateway answered for ``patience`` seconds. Blocks; each feed
        has a connection of its own.
        """
        feed, attempt = Following(agent, types, cursor, start, patience), 0
        while True:
            try:
                yield from self._followed(feed, attempt)
            except GatewayError as error:
                attempt += 1
                time.sleep(feed.pause(error))

    def erasure(self, agent: Name) -> ErasureView:
        """The receipt of an erasure, or that it is under way."""
        return self._send(calls.erasure(agent))

    def erase(self, agent: Name, *, wait: float = 0.0) -> ErasureView:
        """Erases the agent for good. Its receipt, if all was gone after ``wait`` seconds; else ask again."""
        return self._send(calls.erase(agent, wait=wait))

    def root(self, agent: Name) -> RootView:
        """The agent's published root."""
        return self._send(calls.root(agent))

    def agent_state(self, agent: Name, **more: Unpack[Stating]) -> StateView:
        """The root and the memories that make it; proofs have been verified. ``types, proofs, limit``; can wait."""
        answer = self._send(calls.agent_state(agent, **more))
        verify_state_view(answer, calls.agent_name(agent))
        return answer

    def verify_state(self, agent: Name, expected: str, block: int | None = None) -> VerificationView:
        """Whether a checksum or Merkle root is the agent's, or was at a block."""
        return self._send(calls.verify_state(agent, expected, block))

    def transitions(self, agent: Name, start: int, end: int | None = None, limit: int = 1_000) -> TransitionsView:
        """How the root changed between two blocks."""
        return self._send(calls.transitions(agent, start, end, limit))

    def sync(self, agent: Name, **more: Unpack[Replicating]) -> SyncView:
        """A page of what a replica needs. ``since, types, cursor, limit``; can wait as ``query_context`` does."""
        return self._send(calls.sync(agent, **more))

    def checkpoint(self, agent: Name) -> CheckpointView:
        """Where the stream agents of the agent's partition stand."""
        return self._send(calls.checkpoint(agent))

    def proof(self, agent: Name, memory_id: Name, memory: MemoryView | None = None, root: str | None = None) -> ProofView:
        """Proof of inclusion or absence, verified: against ``root`` if you trust one, and about ``memory`` if you read it."""
        answer = self._send(calls.proof(agent, memory_id))
        verify_proof(answer, memory, root)
        return answer

    def export(self, agent: Name, *, format: str = "lines", compress: bool = False) -> PackageView:  # noqa: A002
        """All live memories in one signed package. ``format``: lines or avro."""
        return self._send(calls.export(agent, format=format, compress=compress))

    def export_file(self, agent: Name, *, format: str = "lines", compress: bool = False) -> bytes:  # noqa: A002
        """The same as the file itself, of any size."""
        return self._send(calls.export_file(agent, format=format, compress=compress)).content

    def import_package(self, agent: Name, package: bytes, **how: Unpack[Taking]) -> ImportView:
        """Takes in a package or another product's file. More: ``accept_unknown``, ``from_agent`` (whose memories of another
        product's file, as the file names them, or ``*``), ``wait``.
        """
        return self._send(calls.import_package(agent, package, **how))

    def proof_document(self, agent: Name, memory_id: Name) -> dict[str, Any]:
        """The proof alone, not verified, for ``monmouth proof verify``."""
        return self._send(calls.proof_document(agent, memory_id)).root

    def logs(self) -> LogList:
        """Every partition's log of final lattice states."""
        return self._send(calls.logs())

    def log(self, partition: int) -> LogView:
        """One partition's log. Keep ``size`` and ``root`` for ``log_consistency``."""
        return self._send(calls.log(partition))

    def log_entry(self, partition: int, index: int, size: int | None = None, root: str | None = None) -> EntryProofView:
        """A final state with its proof, verified, against ``root`` (of ``size`` entries) if you trust one."""
        answer = self._send(calls.log_entry(partition, index, size=size))
        verify_entry(answer, partition, index, size, root)
        return answer

    def log_consistency(self, partition: int, first: int, first_root: str, size: int | None = None) -> ConsistencyView:
        """Proof, verified, that the log you know (``first`` entries, ``first_root``) is the beginning of today's."""
        answer = self._send(calls.log_consistency(partition, first, first_root, size=size))
        verify_consistency(answer, partition, first, first_root, size)
        return answer

    def generate_embedding(self, text: str) -> EmbeddingView:
        """The vector of a text."""
        return self._send(calls.generate_embedding(text))

    def parse_intent(self, transaction: Mapping[str, Any]) -> IntentView:
        """What a transaction asks for; its JSON as a node prints it."""
        return self._send(calls.parse_intent(transaction))

    def chain(self) -> ChainState:
        """Head, finality, reorganisations."""
        return self._send(calls.chain())

    def cache(self) -> CacheState:
        """Hit rate and sizes of the gateway's caches; for the operator."""
        return self._send(calls.cache())

    def resize_cache(self, size_mb: int, l1_entries: int | None = None) -> CacheState:
        """Gives the cache another size until the gateway starts again; for the operator."""
        return self._send(calls.resize_cache(size_mb, l1_entries))

    def dashboard(self) -> DashboardState:
        """Everything that the dashboard shows; for the operator, as the four below."""
        return self._send(calls.dashboard())

    def components(self) -> ComponentList:
        """Processes that report, or did a short while ago, the worst first."""
        return self._send(calls.components())

    def alerts(self) -> AlertList:
        """Alerts that fire, and the last that were resolved."""
        return self._send(calls.alerts())

    def performance(self, metric: str, duration: str = "5m") -> SeriesView:
        """The history of one series with its trend; ``duration``: seconds, or a number with s, m or h."""
        return self._send(calls.performance(metric, duration))

    def export_dashboard(self, format: str = "json") -> bytes:  # noqa: A002  (the API's name)
        """The dashboard as a file: ``json``, ``csv`` or ``html``."""
        return self._send(calls.export_dashboard(format)).content

    def live(self) -> Ready:
        """Whether the process serves at all."""
        return self._send(calls.live())

    def ready(self) -> Ready:
        """Whether answers would be true. Raises NotReadyError with the reasons."""
        return self._send(calls.ready())

    def health(self) -> Health:
        """All components, probed."""
        return self._send(calls.health())

    def _send(self, call: Call[A]) -> A:
        patience = Patience(self._timeout, self._retries)
        while True:
            try:
                self._log_in(call)
                reply = self._http.ask(call, self._login.headers, self._timeout)
                return call.read(reply.status, reply.body, reply.retry_after, reply.media_type)
            except GatewayError as error:
                if not self._login.ended(error):
                    time.sleep(patience.pause(error))

    def _log_in(self, call: Call[Any] | None = None) -> None:
        if self._login.due(call):
            self._login.take(self._send(self._login.answer(self._send(self._login.ask()))))

    def _followed(self, feed: Following, attempt: int) -> Iterator[Change]:
        self._log_in()
        with closing(self._http.way(attempt).lines(feed.call(), self._login.headers, SILENCE)) as lines:
            for line in lines:
                if (change := feed.line(line)) is not None:
                    yield change
        raise feed.broken_off()
