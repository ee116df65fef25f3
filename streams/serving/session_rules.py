"""What a command about a session comes to, by the same rules whether a gateway writes it or an agent signs it.

Invariant: what is refused here the memory agent would refuse too, and the other way round but for what comes in between; a
session whose time is over by the gateway's clock takes nothing, whatever time a command claims.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from schemas.defaults import NO_TERMS
from schemas.records import MemoryCommand, Session
from streams.core import session as rules
from streams.core.session import SessionRefused
from streams.serving.faults import BadRequestError, NotFoundError


def concerns_session(command: MemoryCommand) -> bool:
    """Whether it is said of a session, or stores in one."""
    return command["op"].startswith("SESSION_") or (command["op"] == "STORE" and command["session"] is not None)


def foreseen(sessions: Mapping[bytes, Session], command: MemoryCommand, now: int) -> Session:
    """The session that a command concerns, as it will be, its memories aside. ``sessions``: the agent's. ``now``: unix seconds.

    Raises BadRequestError, NotFoundError.
    """
    session_id = command["session"]
    if session_id is None:
        raise BadRequestError(f"{command['op']} names no session", "Set session: the 16 bytes of a UUID.")
    try:
        if command["op"] == "SESSION_OPEN":
            return sessions.get(session_id) or _opened(session_id, command)
        return _gone_on(sessions, known(sessions, session_id), command, now)
    except SessionRefused as refused:
        raise BadRequestError(str(refused)) from None


def known(sessions: Mapping[bytes, Session], session_id: bytes) -> Session:
    """The session of that id. Raises NotFoundError."""
    found = sessions.get(session_id)
    if found is None:
        raise NotFoundError("the agent has no such session", "It may have ended long ago.")
    return found


def _opened(session_id: bytes, command: MemoryCommand) -> Session:
    return cast("Session", rules.opened(session_id, command["agent"], command["session_terms"], command["timestamp"]))


def _gone_on(sessions: Mapping[bytes, Session], session: Session, command: MemoryCommand, now: int) -> Session:
    at, terms = max(now, command["timestamp"]), command["session_terms"] or NO_TERMS
    match command["op"]:
        case "STORE":
            if rules.is_over({**session}, at):
                raise BadRequestError("the session takes nothing more", "It has ended or expired: open another.")
            if command["subject"] is not None or command["edges"]:
                raise BadRequestError("a memory in a session makes no statement and has no links")
        case "SESSION_CHANGE":
            rules.changed({**session}, {}, at)
            return cast("Session", rules.changed({**session}, {**terms}, command["timestamp"]))
        case "SESSION_MERGE":
            _demand_merge(sessions, session, terms["merge_from"], at)
    return session


def _demand_merge(sessions: Mapping[bytes, Session], into: Session, source: bytes | None, at: int) -> None:
    if source is None or source == into["id"]:
        raise BadRequestError("memories go from one session into another one", "Name the other one in merge_from.")
    other = known(sessions, source)
    if other["merged_into"] == into["id"]:
        return  # sent again
    rules.changed({**into}, {}, at)
    rules.ended({**other}, at, into["id"])
    if sum(len(rules.zones(sessions.values(), one["id"])) for one in (into, other)) - 1 > rules.MOST_MERGED:
        raise BadRequestError(f"a session takes over at most {rules.MOST_MERGED} others")
