"""The part of both clients about sessions. Methods and answers are the same."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar, Unpack

from streams.serving import session_calls as calls
from streams.serving.calls import Call
from streams.serving.said import Budget, Closing, Listing, Merging, Name, Opening, Said, SessionTerms
from streams.serving.wire import Answer, Context, MemoryList, Receipt, SessionList, SessionView

A = TypeVar("A", bound=Answer)


class SessionMethods:
    """Blocks."""

    @abstractmethod
    def _send(self, call: Call[A]) -> A:
        """Carries out a call. Raises GatewayError."""

    def open_session(self, agent: Name, **terms: Unpack[Opening]) -> SessionView:
        """Opens a session. ``seconds, max_memories, collaborators, context, goal, promote, session_id, wait``."""
        return self._send(calls.open_session(agent, **terms))

    def list_sessions(self, agent: Name) -> SessionList:
        """Open sessions, and the last that ended."""
        return self._send(calls.list_sessions(agent))

    def get_session(self, agent: Name, session_id: str) -> SessionView:
        """One session."""
        return self._send(calls.get_session(agent, session_id))

    def change_session(self, agent: Name, session_id: str, **terms: Unpack[SessionTerms]) -> SessionView:
        """Extends a session, or changes its terms."""
        return self._send(calls.change_session(agent, session_id, **terms))

    def merge_session(self, agent: Name, session_id: str, other_id: str, **more: Unpack[Merging]) -> SessionView:
        """Takes the memories of another session over; that one ends."""
        return self._send(calls.merge_session(agent, session_id, other_id, **more))

    def close_session(self, agent: Name, session_id: str, **more: Unpack[Closing]) -> SessionView:
        """Ends a session. More: ``promote``, ``wait``."""
        return self._send(calls.close_session(agent, session_id, **more))

    def store_in_session(self, agent: Name, session_id: str, data: str | bytes, **more: Unpack[Said]) -> Receipt:
        """Keeps a memory in a session. More: as ``store``."""
        return self._send(calls.store_in_session(agent, session_id, data, **more))

    def retrieve_from_session(self, agent: Name, session_id: str, **more: Unpack[Listing]) -> MemoryList:
        """What a session holds, newest first. More: ``limit``, and the moment asked about as with ``get``."""
        return self._send(calls.retrieve_from_session(agent, session_id, **more))

    def query_session(self, agent: Name, session_id: str, query: str, max_results: int = 10, **more: Unpack[Budget]) -> Context:
        """What a session holds that is nearest to the question. More: as ``query_context``, but no window and no proofs."""
        return self._send(calls.query_session(agent, session_id, query, max_results, **more))

    def shared_session_memories(self, agent: Name, owner: Name, session_id: str, **more: Unpack[Listing]) -> MemoryList:
        """What a session of ``owner`` holds in which ``agent`` takes part."""
        return self._send(calls.shared_session_memories(agent, owner, session_id, **more))

    def store_in_shared_session(
        self, agent: Name, owner: Name, session_id: str, data: str | bytes, **more: Unpack[Said]
    ) -> Receipt:
        """Adds to a session of ``owner`` in which ``agent`` takes part. More: as ``store``."""
        return self._send(calls.store_in_shared_session(agent, owner, session_id, data, **more))

    def query_shared_session(
        self, agent: Name, owner: Name, session_id: str, query: str, max_results: int = 10, **more: Unpack[Budget]
    ) -> Context:
        """The same of a session of ``owner`` in which ``agent`` takes part. More: as ``query_session``."""
        return self._send(calls.query_shared_session(agent, owner, session_id, query, max_results, **more))


class AsyncSessionMethods:
    """Does not block."""

    @abstractmethod
    async def _send(self, call: Call[A]) -> A:
        """Carries out a call. Raises GatewayError."""

    async def open_session(self, agent: Name, **terms: Unpack[Opening]) -> SessionView:
        """As SessionMethods.open_session."""
        return await self._send(calls.open_session(agent, **terms))

    async def list_sessions(self, agent: Name) -> SessionList:
        """As SessionMethods.list_sessions."""
        return await self._send(calls.list_sessions(agent))

    async def get_session(self, agent: Name, session_id: str) -> SessionView:
        """As SessionMethods.get_session."""
        return await self._send(calls.get_session(agent, session_id))

    async def change_session(self, agent: Name, session_id: str, **terms: Unpack[SessionTerms]) -> SessionView:
        """As SessionMethods.change_session."""
        return await self._send(calls.change_session(agent, session_id, **terms))

    async def merge_session(self, agent: Name, session_id: str, other_id: str, **more: Unpack[Merging]) -> SessionView:
        """As SessionMethods.merge_session."""
        return await self._send(calls.merge_session(agent, session_id, other_id, **more))

    async def close_session(self, agent: Name, session_id: str, **more: Unpack[Closing]) -> SessionView:
        """As SessionMethods.close_session."""
        return await self._send(calls.close_session(agent, session_id, **more))

    async def store_in_session(self, agent: Name, session_id: str, data: str | bytes, **more: Unpack[Said]) -> Receipt:
        """As SessionMethods.store_in_session."""
        return await self._send(calls.store_in_session(agent, session_id, data, **more))

    async def retrieve_from_session(self, agent: Name, session_id: str, **more: Unpack[Listing]) -> MemoryList:
        """As SessionMethods.retrieve_from_session."""
        return await self._send(calls.retrieve_from_session(agent, session_id, **more))

    async def query_session(
        self, agent: Name, session_id: str, query: str, max_results: int = 10, **more: Unpack[Budget]
    ) -> Context:
        """As SessionMethods.query_session."""
        return await self._send(calls.query_session(agent, session_id, query, max_results, **more))

    async def shared_session_memories(self, agent: Name, owner: Name, session_id: str, **more: Unpack[Listing]) -> MemoryList:
        """As SessionMethods.shared_session_memories."""
        return await self._send(calls.shared_session_memories(agent, owner, session_id, **more))

    async def store_in_shared_session(
        self, agent: Name, owner: Name, session_id: str, data: str | bytes, **more: Unpack[Said]
    ) -> Receipt:
        """As SessionMethods.store_in_shared_session."""
        return await self._send(calls.store_in_shared_session(agent, owner, session_id, data, **more))

    async def query_shared_session(
        self, agent: Name, owner: Name, session_id: str, query: str, max_results: int = 10, **more: Unpack[Budget]
    ) -> Context:
        """As SessionMethods.query_shared_session."""
        return await self._send(calls.query_shared_session(agent, owner, session_id, query, max_results, **more))
