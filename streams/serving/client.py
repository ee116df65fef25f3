"""Python clients of the gateway: ``Client`` blocks, ``AsyncClient`` does not; methods and answers are the same.

    with Client("http://127.0.0.1:8080", token=token) as monmouth:
        monmouth.store(agent, "prefers ETH", wait=10)
        print(monmouth.query_context(agent, "what does it prefer?").items[0].text)

Every call is idempotent (commands carry an id), so one that meets a closed connection is sent once more. What ``proof``,
``log_entry`` and ``log_consistency`` return has been verified. Errors: GatewayError (also for no answer), ProofRefusedError.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import aiohttp

from streams.serving import calls
from streams.serving.calls import Call, GatewayError, Name
from streams.serving.verify import verify_consistency, verify_entry, verify_proof
from streams.serving.wire import (
    Answer,
    ChainState,
    ConsistencyView,
    Context,
    EmbeddingView,
    EntryProofView,
    Health,
    IntentView,
    LogList,
    LogView,
    MemoryList,
    MemoryView,
    ProofView,
    Receipt,
    RootView,
)

A = TypeVar("A", bound=Answer)

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT = 45.0
HEADERS = {"content-type": "application/json", "accept": "application/json"}


def _unreachable(url: str, error: Exception) -> GatewayError:
    reason = str(error) or type(error).__name__
    return GatewayError(f"no answer from {url}: {reason}", "Is the gateway running? `monmouth gateway` starts one.")


def _headers(token: str | None) -> dict[str, str]:
    return HEADERS if token is None else {**HEADERS, "authorization": f"Bearer {token}"}


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise GatewayError(f"{url!r} is not the address of a gateway", f"It looks like {DEFAULT_URL}.")
    return url.rstrip("/")


class Client:
    """Blocking client on one connection; safe for threads."""

    def __init__(self, url: str = DEFAULT_URL, timeout: float = TIMEOUT, token: str | None = None) -> None:
        """``token``: an agent's or the operator's."""
        self.url = _checked(url)
        self._headers = _headers(token)
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        connection = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = connection(parts.hostname, parts.port, timeout=timeout)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def query_context(self, agent: Name, query: str, max_results: int = 10, **more: Any) -> Context:
        """The agent's live memories nearest to the question. More: ``min_similarity``, ``max_tokens``."""
        return self._send(calls.query_context(agent, query, max_results, **more))

    def store(self, agent: Name, data: str | bytes, **more: Any) -> Receipt:
        """Keeps a memory. More: ``type, importance, tags, media_type, timestamp, command_id, wait``."""
        return self._send(calls.store(agent, data, **more))

    def retrieve(self, agent: Name, **wanted: Any) -> MemoryList:
        """Live memories, newest first. ``types, tags, min_importance, since, until, max_age, limit``."""
        return self._send(calls.retrieve(agent, **wanted))

    def get(self, agent: Name, memory_id: Name) -> MemoryView:
        """One live memory."""
        return self._send(calls.get(agent, memory_id))

    def forget(self, agent: Name, memory_id: Name, **more: Any) -> Receipt:
        """Forgets a memory. More: ``command_id``, ``wait``."""
        return self._send(calls.forget(agent, memory_id, **more))

    def root(self, agent: Name) -> RootView:
        """The agent's published root."""
        return self._send(calls.root(agent))

    def proof(self, agent: Name, memory_id: Name, memory: MemoryView | None = None, root: str | None = None) -> ProofView:
        """Proof of inclusion or absence, verified: against ``root`` if you trust one, and about ``memory`` if you read it."""
        answer = self._send(calls.proof(agent, memory_id))
        verify_proof(answer, memory, root)
        return answer

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

    def health(self) -> Health:
        """All components, probed."""
        return self._send(calls.health())

    def _send(self, call: Call[A]) -> A:
        with self._lock:
            try:
                return call.read(*self._exchange(call))
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError, http.client.CannotSendRequest):
                self._connection.close()  # an idle connection that the server had closed
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                raise _unreachable(self.url, error) from None
            try:
                return call.read(*self._exchange(call))
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                raise _unreachable(self.url, error) from None

    def _exchange(self, call: Call[A]) -> tuple[int, bytes]:
        self._connection.request(call.method, call.target, call.body, self._headers)
        response = self._connection.getresponse()
        return response.status, response.read()


class AsyncClient:
    """Client for asyncio; open it with ``async with``."""

    def __init__(self, url: str = DEFAULT_URL, timeout: float = TIMEOUT, token: str | None = None) -> None:
        """``token``: an agent's or the operator's."""
        self.url = _checked(url)
        self._headers = _headers(token)
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def query_context(self, agent: Name, query: str, max_results: int = 10, **more: Any) -> Context:
        """As Client.query_context."""
        return await self._send(calls.query_context(agent, query, max_results, **more))

    async def store(self, agent: Name, data: str | bytes, **more: Any) -> Receipt:
        """As Client.store."""
        return await self._send(calls.store(agent, data, **more))

    async def retrieve(self, agent: Name, **wanted: Any) -> MemoryList:
        """As Client.retrieve."""
        return await self._send(calls.retrieve(agent, **wanted))

    async def get(self, agent: Name, memory_id: Name) -> MemoryView:
        """As Client.get."""
        return await self._send(calls.get(agent, memory_id))

    async def forget(self, agent: Name, memory_id: Name, **more: Any) -> Receipt:
        """As Client.forget."""
        return await self._send(calls.forget(agent, memory_id, **more))

    async def root(self, agent: Name) -> RootView:
        """As Client.root."""
        return await self._send(calls.root(agent))

    async def proof(self, agent: Name, memory_id: Name, memory: MemoryView | None = None, root: str | None = None) -> ProofView:
        """As Client.proof."""
        answer = await self._send(calls.proof(agent, memory_id))
        verify_proof(answer, memory, root)
        return answer

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

    async def health(self) -> Health:
        """As Client.health."""
        return await self._send(calls.health())

    async def _send(self, call: Call[A]) -> A:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout, headers=self._headers)
        try:
            try:
                return call.read(*await self._exchange(self._session, call))
            except aiohttp.ServerDisconnectedError:  # an idle connection that the server had closed
                return call.read(*await self._exchange(self._session, call))
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _unreachable(self.url, error) from None

    async def _exchange(self, session: aiohttp.ClientSession, call: Call[A]) -> tuple[int, bytes]:
        async with session.request(call.method, self.url + call.target, data=call.body) as response:
            return response.status, await response.read()
