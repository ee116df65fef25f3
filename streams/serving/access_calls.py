"""Calls about keys, tokens, grants, and what others share; see ``streams.serving.calls``."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Unpack
from urllib.parse import quote

import orjson

from schemas.codec import codec
from schemas.records import MemoryCommand, MemoryType
from streams.identity.binding import Account, Place
from streams.identity.bls import SecretKey
from streams.serving.addresses import to_hex
from streams.serving.calls import Call
from streams.serving.said import Name, SharedAsking, Then
from streams.serving.wire import Context, MemoryList, MemoryView, Receipt
from streams.serving.wire.access import AccessReceipt, Challenge, GrantList, KeyView, Right, Token
from streams.serving.wire.shared import SharedContext


def _text(value: Name) -> str:
    return to_hex(value) if isinstance(value, bytes) else value


def _agent(agent: Name, rest: str) -> str:
    return f"/v1/agents/{quote(_text(agent), safe='')}/{rest}"


def _shared(agent: Name, owner: Name, rest: str) -> str:
    return _agent(agent, f"shared/{quote(_text(owner), safe='')}/{rest}")


def challenge(agent: Name) -> Call[Challenge]:
    """What is to be signed."""
    return Call("POST", "/v1/auth/challenge", Challenge, body=orjson.dumps({"agent": _text(agent)}))


def token(agent: Name, challenge: str, signature: bytes) -> Call[Token]:
    """A token for a signed challenge."""
    body = {"agent": _text(agent), "challenge": challenge, "signature": signature.hex()}
    return Call("POST", "/v1/auth/token", Token, body=orjson.dumps(body))


def register_key(
    account: Account, key: SecretKey, place: Place, *, issued: int | None = None, wait: float = 0.0
) -> Call[AccessReceipt]:
    """A key for the agent of ``account``, which signs for it. ``place``: what the gateway's challenge names."""
    issued = int(time.time()) if issued is None else issued
    signature = account.sign(place.registration(account.address, key.public, issued))
    return register_signed_key(account.address, key, signature, issued, wait=wait)


def register_signed_key(
    agent: Name, key: SecretKey, account_signature: bytes, issued: int, *, wait: float = 0.0
) -> Call[AccessReceipt]:
    """The same where the account has signed elsewhere."""
    body = {
        "agent": _text(agent),
        "public_key": key.public.hex(),
        "possession": key.prove_possession().hex(),
        "account_signature": account_signature.hex(),
        "issued": issued,
        "wait": wait,
    }
    return Call("POST", "/v1/auth/keys", AccessReceipt, body=orjson.dumps(body))


def command(signed: MemoryCommand) -> Call[Receipt]:
    """A command that the agent signed (``streams.identity.commands.sign_as_agent``)."""
    return Call("POST", "/v1/commands", Receipt, body=codec().encode_open("MemoryCommand", signed))


def key(agent: Name) -> Call[KeyView]:
    """The agent's key."""
    return Call("GET", _agent(agent, "key"), KeyView)


def revoke_key(agent: Name, *, wait: float = 0.0) -> Call[AccessReceipt]:
    """Ends the agent's key."""
    return Call("DELETE", _agent(agent, "key"), AccessReceipt, {"wait": wait})


def grants(agent: Name) -> Call[GrantList]:
    """Grants given."""
    return Call("GET", _agent(agent, "grants"), GrantList)


def grant(
    agent: Name, grantee: Name, rights: Iterable[Right], namespace: str = "", *, until: int | None = None, wait: float = 0.0
) -> Call[AccessReceipt]:
    """Lets ``grantee`` read or write."""
    body = {"grantee": _text(grantee), "rights": list(rights), "namespace": namespace, "until": until, "wait": wait}
    return Call("POST", _agent(agent, "grants"), AccessReceipt, body=orjson.dumps(body))


def revoke_grant(agent: Name, grantee: Name, namespace: str = "", *, wait: float = 0.0) -> Call[AccessReceipt]:
    """Takes it back."""
    params = {"grantee": _text(grantee), "namespace": namespace, "wait": wait}
    return Call("DELETE", _agent(agent, "grants"), AccessReceipt, params)


def shared_memories(
    agent: Name, owner: Name, *, tags: Iterable[str] = (), limit: int = 100, **when: Unpack[Then]
) -> Call[MemoryList]:
    """Memories that ``owner`` shares with ``agent``."""
    return Call("GET", _shared(agent, owner, "memories"), MemoryList, {"tag": list(tags), "limit": limit, **when})


def shared_memory(agent: Name, owner: Name, memory_id: Name, **when: Unpack[Then]) -> Call[MemoryView]:
    """One of them."""
    return Call("GET", _shared(agent, owner, f"memories/{quote(_text(memory_id), safe='')}"), MemoryView, {**when})


def shared_query(agent: Name, owner: Name, query: str, max_results: int = 10, **more: Unpack[SharedAsking]) -> Call[Context]:
    """The nearest of them."""
    body = {"query": query, "max_results": max_results, **_given(more)}
    return Call("POST", _shared(agent, owner, "query"), Context, body=orjson.dumps(body))


def query_shared(
    agent: Name, query: str, owners: Iterable[Name] | None = None, max_results: int = 10, **more: Unpack[SharedAsking]
) -> Call[SharedContext]:
    """The nearest of all that ``agent`` may read."""
    named = None if owners is None else [_text(owner) for owner in owners]
    body = {"query": query, "owners": named, "max_results": max_results, **_given(more)}
    return Call("POST", _agent(agent, "shared/query"), SharedContext, body=orjson.dumps(body))


def _given(more: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in more.items() if value is not None}


def shared_store(
    agent: Name,
    owner: Name,
    text: str,
    namespace: str = "",
    *,
    type: MemoryType = "LONG_TERM",  # noqa: A002  (the API's name)
    importance: float = 0.5,
    tags: Iterable[str] = (),
    command_id: str | None = None,
) -> Call[Receipt]:
    """A memory to keep with ``owner``."""
    body = {
        "text": text,
        "namespace": namespace,
        "type": type,
        "importance": importance,
        "tags": list(tags),
        "command_id": command_id or str(uuid.uuid4()),
    }
    return Call("POST", _shared(agent, owner, "memories"), Receipt, body=orjson.dumps(body))
