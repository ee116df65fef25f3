"""The part of both clients about keys, tokens, grants, and what others share. Methods and answers are the same."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import TypeVar, Unpack

from schemas.records import MemoryCommand
from streams.identity.binding import Account, Place
from streams.identity.bls import SecretKey
from streams.serving import access_calls as calls
from streams.serving.calls import Call
from streams.serving.said import Granting, Mattering, Name, Registering, SharedAsking, SharedSaid, SharedWanting, Then
from streams.serving.wire import Answer, Context, MemoryList, MemoryView, Receipt
from streams.serving.wire.access import AccessReceipt, Challenge, GrantList, KeyView, Right, Token
from streams.serving.wire.shared import SharedContext

A = TypeVar("A", bound=Answer)


def _place(challenge: Challenge) -> Place:
    return Place(challenge.installation, challenge.chain_id)


class AccessMethods:
    """Blocks."""

    @abstractmethod
    def _send(self, call: Call[A]) -> A:
        """Carries out a call. Raises GatewayError."""

    def challenge(self, agent: Name) -> Challenge:
        """What an agent signs to get a token; clients with a ``key`` do so by themselves."""
        return self._send(calls.challenge(agent))

    def token(self, agent: Name, challenge: str, signature: bytes) -> Token:
        """A token for a challenge that the agent's key has signed."""
        return self._send(calls.token(agent, challenge, signature))

    def register_key(self, account: Account, key: SecretKey, **more: Unpack[Registering]) -> AccessReceipt:
        """Registers, or replaces, the key of the account's agent. More: ``wait``."""
        place = _place(self.challenge(account.address))
        return self._send(calls.register_key(account, key, place, **more))

    def register_signed_key(
        self, agent: Name, key: SecretKey, account_signature: bytes, issued: int, **more: Unpack[Mattering]
    ) -> AccessReceipt:
        """The same where the account signed ``Place.registration`` elsewhere, in a wallet. More: ``wait``."""
        return self._send(calls.register_signed_key(agent, key, account_signature, issued, **more))

    def command(self, signed: MemoryCommand) -> Receipt:
        """Writes a command that the agent has signed, as it is."""
        return self._send(calls.command(signed))

    def key(self, agent: Name) -> KeyView:
        """The key that speaks for the agent."""
        return self._send(calls.key(agent))

    def revoke_key(self, agent: Name, **more: Unpack[Mattering]) -> AccessReceipt:
        """Ends the agent's key and all its tokens. More: ``wait``."""
        return self._send(calls.revoke_key(agent, **more))

    def grants(self, agent: Name) -> GrantList:
        """What the agent lets others do."""
        return self._send(calls.grants(agent))

    def grant(
        self, agent: Name, grantee: Name, rights: Iterable[Right], namespace: str = "", **more: Unpack[Granting]
    ) -> AccessReceipt:
        """Lets another agent read or write memories: all, or those of one tag. More: ``until``, ``wait``."""
        return self._send(calls.grant(agent, grantee, rights, namespace, **more))

    def revoke_grant(self, agent: Name, grantee: Name, namespace: str = "", **more: Unpack[Mattering]) -> AccessReceipt:
        """Takes a grant back. More: ``wait``."""
        return self._send(calls.revoke_grant(agent, grantee, namespace, **more))

    def shared_memories(self, agent: Name, owner: Name, **wanted: Unpack[SharedWanting]) -> MemoryList:
        """Memories that ``owner`` lets ``agent`` read, newest first. ``tags, limit``, and the moment of a read (``Then``)."""
        return self._send(calls.shared_memories(agent, owner, **wanted))

    def shared_memory(self, agent: Name, owner: Name, memory_id: Name, **when: Unpack[Then]) -> MemoryView:
        """One memory that ``owner`` lets ``agent`` read."""
        return self._send(calls.shared_memory(agent, owner, memory_id, **when))

    def shared_query(
        self, agent: Name, owner: Name, query: str, max_results: int = 10, **more: Unpack[SharedAsking]
    ) -> Context:
        """Of the owner's memories nearest to the question, those that ``agent`` may read. More: ``max_tokens``, moment."""
        return self._send(calls.shared_query(agent, owner, query, max_results, **more))

    def query_shared(
        self, agent: Name, query: str, owners: Iterable[Name] | None = None, max_results: int = 10, **more: Unpack[SharedAsking]
    ) -> SharedContext:
        """The memories nearest to the question: the agent's own, and those that ``owners`` (None: whoever does) let it read.

        Each item names its ``owner``. More: ``min_similarity, max_tokens``, and the moment (``Then``).
        """
        return self._send(calls.query_shared(agent, query, owners, max_results, **more))

    def shared_store(self, agent: Name, owner: Name, text: str, namespace: str = "", **more: Unpack[SharedSaid]) -> Receipt:
        """Keeps a memory with ``owner``, under a tag it was granted. More: ``type, importance, tags, command_id``."""
        return self._send(calls.shared_store(agent, owner, text, namespace, **more))


class AsyncAccessMethods:
    """Does not block."""

    @abstractmethod
    async def _send(self, call: Call[A]) -> A:
        """Carries out a call. Raises GatewayError."""

    async def challenge(self, agent: Name) -> Challenge:
        """As AccessMethods.challenge."""
        return await self._send(calls.challenge(agent))

    async def token(self, agent: Name, challenge: str, signature: bytes) -> Token:
        """As AccessMethods.token."""
        return await self._send(calls.token(agent, challenge, signature))

    async def register_key(self, account: Account, key: SecretKey, **more: Unpack[Registering]) -> AccessReceipt:
        """As AccessMethods.register_key."""
        place = _place(await self.challenge(account.address))
        return await self._send(calls.register_key(account, key, place, **more))

    async def register_signed_key(
        self, agent: Name, key: SecretKey, account_signature: bytes, issued: int, **more: Unpack[Mattering]
    ) -> AccessReceipt:
        """As AccessMethods.register_signed_key."""
        return await self._send(calls.register_signed_key(agent, key, account_signature, issued, **more))

    async def command(self, signed: MemoryCommand) -> Receipt:
        """As AccessMethods.command."""
        return await self._send(calls.command(signed))

    async def key(self, agent: Name) -> KeyView:
        """As AccessMethods.key."""
        return await self._send(calls.key(agent))

    async def revoke_key(self, agent: Name, **more: Unpack[Mattering]) -> AccessReceipt:
        """As AccessMethods.revoke_key."""
        return await self._send(calls.revoke_key(agent, **more))

    async def grants(self, agent: Name) -> GrantList:
        """As AccessMethods.grants."""
        return await self._send(calls.grants(agent))

    async def grant(
        self, agent: Name, grantee: Name, rights: Iterable[Right], namespace: str = "", **more: Unpack[Granting]
    ) -> AccessReceipt:
        """As AccessMethods.grant."""
        return await self._send(calls.grant(agent, grantee, rights, namespace, **more))

    async def revoke_grant(self, agent: Name, grantee: Name, namespace: str = "", **more: Unpack[Mattering]) -> AccessReceipt:
        """As AccessMethods.revoke_grant."""
        return await self._send(calls.revoke_grant(agent, grantee, namespace, **more))

    async def shared_memories(self, agent: Name, owner: Name, **wanted: Unpack[SharedWanting]) -> MemoryList:
        """As AccessMethods.shared_memories."""
        return await self._send(calls.shared_memories(agent, owner, **wanted))

    async def shared_memory(self, agent: Name, owner: Name, memory_id: Name, **when: Unpack[Then]) -> MemoryView:
        """As AccessMethods.shared_memory."""
        return await self._send(calls.shared_memory(agent, owner, memory_id, **when))

    async def shared_query(
        self, agent: Name, owner: Name, query: str, max_results: int = 10, **more: Unpack[SharedAsking]
    ) -> Context:
        """As AccessMethods.shared_query."""
        return await self._send(calls.shared_query(agent, owner, query, max_results, **more))

    async def query_shared(
        self, agent: Name, query: str, owners: Iterable[Name] | None = None, max_results: int = 10, **more: Unpack[SharedAsking]
    ) -> SharedContext:
        """As AccessMethods.query_shared."""
        return await self._send(calls.query_shared(agent, query, owners, max_results, **more))

    async def shared_store(
        self, agent: Name, owner: Name, text: str, namespace: str = "", **more: Unpack[SharedSaid]
    ) -> Receipt:
        """As AccessMethods.shared_store."""
        return await self._send(calls.shared_store(agent, owner, text, namespace, **more))
