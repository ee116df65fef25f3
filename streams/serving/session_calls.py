"""Calls about sessions; see ``streams.serving.calls``."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Unpack
from urllib.parse import quote

import orjson

from streams.serving.calls import Call, agent_path, named, store
from streams.serving.said import Budget, Name, Said, SessionTerms, When
from streams.serving.wire import Context, MemoryList, Receipt, SessionList, SessionView


def open_session(agent: Name, *, session_id: str | None = None, **terms: Unpack[SessionTerms]) -> Call[SessionView]:
    """A session. Has an id in any case, so that opening it twice opens one."""
    body = {**terms, "id": session_id or str(uuid.uuid4())}
    return Call("POST", f"{agent_path(agent)}/sessions", SessionView, body=orjson.dumps(body))


def list_sessions(agent: Name) -> Call[SessionList]:
    """Sessions of an agent."""
    return Call("GET", f"{agent_path(agent)}/sessions", SessionList)


def get_session(agent: Name, session_id: str) -> Call[SessionView]:
    """One session."""
    return Call("GET", _session(agent, session_id), SessionView)


def change_session(agent: Name, session_id: str, **terms: Unpack[SessionTerms]) -> Call[SessionView]:
    """What of a session changes."""
    return Call("PATCH", _session(agent, session_id), SessionView, body=orjson.dumps(terms))


def merge_session(agent: Name, session_id: str, other_id: str, *, wait: float = 5.0) -> Call[SessionView]:
    """Another session's memories, to go over into this one."""
    path = f"{_session(agent, session_id)}/merge/{quote(other_id, safe='')}"
    return Call("POST", path, SessionView, {"wait": wait})


def close_session(agent: Name, session_id: str, *, promote: bool | None = None, wait: float = 5.0) -> Call[SessionView]:
    """A session to end."""
    return Call("DELETE", _session(agent, session_id), SessionView, {"promote": promote, "wait": wait})


def store_in_session(agent: Name, session_id: str, data: str | bytes, **more: Unpack[Said]) -> Call[Receipt]:
    """A memory to keep in a session."""
    said: Said = {"type": "WORKING", **more}
    plain = store(agent, data, **said)
    return Call("POST", f"{_session(agent, session_id)}/memories", Receipt, body=plain.body)


def retrieve_from_session(agent: Name, session_id: str, *, limit: int = 100, **when: Unpack[When]) -> Call[MemoryList]:
    """What a session holds."""
    return Call("GET", f"{_session(agent, session_id)}/memories", MemoryList, {"limit": limit, **when})


def query_session(agent: Name, session_id: str, query: str, max_results: int = 10, **more: Unpack[Budget]) -> Call[Context]:
    """A question to what a session holds."""
    return Call("POST", f"{_session(agent, session_id)}/query", Context, body=_question(query, max_results, more))


def shared_session_memories(
    agent: Name, owner: Name, session_id: str, *, limit: int = 100, **when: Unpack[When]
) -> Call[MemoryList]:
    """What a session of another agent holds."""
    return Call("GET", f"{_shared_session(agent, owner, session_id)}/memories", MemoryList, {"limit": limit, **when})


def query_shared_session(
    agent: Name, owner: Name, session_id: str, query: str, max_results: int = 10, **more: Unpack[Budget]
) -> Call[Context]:
    """A question to what a session of another agent holds."""
    return Call("POST", f"{_shared_session(agent, owner, session_id)}/query", Context, body=_question(query, max_results, more))


def store_in_shared_session(
    agent: Name, owner: Name, session_id: str, data: str | bytes, **more: Unpack[Said]
) -> Call[Receipt]:
    """A memory to keep in a session of another agent."""
    said: Said = {"type": "WORKING", **more}
    plain = store(agent, data, **said)
    return Call("POST", f"{_shared_session(agent, owner, session_id)}/memories", Receipt, body=plain.body)


def _question(query: str, max_results: int, more: Mapping[str, Any]) -> bytes:
    given = {name: value for name, value in more.items() if value is not None}
    return orjson.dumps({"query": query, "max_results": max_results, **given})


def _shared_session(agent: Name, owner: Name, session_id: str) -> str:
    return f"{agent_path(agent)}/shared/{named(owner)}/sessions/{quote(session_id, safe='')}"


def _session(agent: Name, session_id: str) -> str:
    return f"{agent_path(agent)}/sessions/{quote(session_id, safe='')}"
