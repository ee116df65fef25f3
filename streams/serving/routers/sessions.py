"""Sessions of an agent: memories that belong to one task, kept or dropped when it ends."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from schemas.defaults import NO_TERMS, plain_command
from schemas.records import CommandOp, MemoryCommand, Session, SessionTerms
from streams.agents.memory_limits import MAX_TAGS
from streams.core import session as rules
from streams.core.moment import Moment
from streams.ports.stores import MemoryFilter
from streams.serving.addresses import parse_agent, to_hex
from streams.serving.context.asked import zone_request_of
from streams.serving.faults import BadRequestError
from streams.serving.routers.query import settled
from streams.serving.services import AgentParam, MomentParam, Served, Services, Waited
from streams.serving.session_rules import foreseen, known
from streams.serving.wire import (
    LIST_LIMIT,
    WAIT_LIMIT,
    Context,
    MemoryList,
    MemoryView,
    OpenRequest,
    Receipt,
    SessionList,
    SessionQueryRequest,
    SessionTermsRequest,
    SessionView,
    StoreRequest,
)
from streams.serving.writes import remember, storing, until

router = APIRouter(prefix="/v1/agents/{agent}/sessions", tags=["sessions"])
NOT_YET: dict[int | str, dict[str, Any]] = {202: {"model": SessionView, "description": "Not visible yet."}}
Seen = Callable[[Session], bool]


def _uuid(text: str) -> bytes:
    try:
        return uuid.UUID(text).bytes
    except ValueError:
        raise BadRequestError(f"session {text[:80]!r} is not a UUID") from None


async def _session_id(session_id: Annotated[str, Path(description="Id of the session: a UUID.")]) -> bytes:
    return _uuid(session_id)


SessionParam = Annotated[bytes, Depends(_session_id)]
WaitParam = Annotated[float, Query(ge=0, le=WAIT_LIMIT, description="Seconds to wait until reads show it.")]


@router.post("", operation_id="open_session", status_code=201, responses=NOT_YET)
async def open_session(agent: AgentParam, wanted: OpenRequest, served: Served, response: Response) -> SessionView:
    """Opens a session. At most five are open; the oldest ends when one more is opened."""
    session_id = uuid.uuid4().bytes if wanted.id is None else _uuid(wanted.id)
    command = _command("SESSION_OPEN", agent, session_id, _terms(wanted))
    ahead = foreseen(await served.sessions.fresh(agent), command, command["timestamp"])
    found = await _sent(served, command, lambda _: True, wanted.wait)
    response.status_code = 201 if found else 202
    return SessionView.of(found or ahead, command["timestamp"], visible=found is not None)


@router.get("", operation_id="list_sessions")
async def list_sessions(agent: AgentParam, served: Served) -> SessionList:
    """Open sessions, and the last of those that ended."""
    now, found = int(time.time()), (await served.sessions.fresh(agent)).values()
    newest = sorted(found, key=lambda session: (-session["opened"], session["id"]))
    return SessionList(agent=to_hex(agent), items=[SessionView.of(session, now) for session in newest])


@router.get("/{session_id}", operation_id="get_session")
async def get_session(agent: AgentParam, session_id: SessionParam, served: Served) -> SessionView:
    """One session."""
    return SessionView.of(await _known(served, agent, session_id), int(time.time()))


@router.patch("/{session_id}", operation_id="change_session", responses=NOT_YET)
async def change_session(
    agent: AgentParam, session_id: SessionParam, wanted: SessionTermsRequest, served: Served, response: Response
) -> SessionView:
    """Extends a session, or changes what it is for and who takes part."""
    command = _command("SESSION_CHANGE", agent, session_id, _terms(wanted))
    before = await _known(served, agent, session_id)
    ahead = foreseen(await served.sessions.fresh(agent), command, command["timestamp"])
    said = ("expires", "max_memories", "collaborators", "context", "goal", "promote")
    found = await _sent(served, command, lambda now: all({**now}[name] == {**ahead}[name] for name in said), wanted.wait)
    response.status_code = 200 if found else 202
    return SessionView.of(found or before, command["timestamp"], visible=found is not None)


@router.post("/{session_id}/merge/{other_id}", operation_id="merge_session", responses=NOT_YET)
async def merge_session(  # noqa: PLR0917  (path and query)
    agent: AgentParam,
    session_id: SessionParam,
    other_id: Annotated[str, Path(description="Id of the session whose memories go over.")],
    served: Served,
    response: Response,
    wait: WaitParam = 5.0,
) -> SessionView:
    """Takes the memories of another session of the agent over; that one ends."""
    other = _uuid(other_id)
    command = _command("SESSION_MERGE", agent, session_id, {**NO_TERMS, "merge_from": other})
    foreseen(await served.sessions.fresh(agent), command, command["timestamp"])
    await served.commands.send(command)

    async def gone() -> bool:
        found = (await served.sessions.fresh(agent)).get(other)
        return found is None or found["merged_into"] == session_id

    visible = await until(gone, wait)
    response.status_code = 200 if visible else 202
    return SessionView.of(await _known(served, agent, session_id), command["timestamp"], visible=visible)


@router.delete("/{session_id}", operation_id="close_session", responses=NOT_YET)
async def close_session(  # noqa: PLR0917  (path and query)
    agent: AgentParam,
    session_id: SessionParam,
    served: Served,
    response: Response,
    promote: Annotated[bool | None, Query(description="Whether its memories stay; None is as it was opened.")] = None,
    wait: WaitParam = 5.0,
) -> SessionView:
    """Ends a session: its memories become long-term ones, or are deleted."""
    before = await _known(served, agent, session_id)
    command = _command("SESSION_CLOSE", agent, session_id, {**NO_TERMS, "promote": promote})
    found = await _sent(served, command, lambda now: now["state"] != rules.OPEN, wait)
    response.status_code = 200 if found else 202
    return SessionView.of(found or before, command["timestamp"], visible=found is not None)


@router.post("/{session_id}/memories", operation_id="store_in_session", status_code=201)
async def store_in_session(
    agent: AgentParam, session_id: SessionParam, wanted: StoreRequest, served: Served, response: Response
) -> Receipt:
    """Keeps a memory in a session. 201 if visible already, else 202."""
    return await stored(served, agent, session_id, wanted, None, response)


async def stored(  # noqa: PLR0917  (path, body and who asks)
    served: Services, agent: bytes, session_id: bytes, wanted: StoreRequest, author: bytes | None, response: Response
) -> Receipt:
    """A memory of ``author`` (None: the owner) in a session. Raises NotFoundError, BadRequestError."""
    sessions, now = await served.sessions.fresh(agent), int(time.time())
    if wanted.timestamp is not None or wanted.links or wanted.subject is not None:
        raise BadRequestError("a memory in a session has the time it comes at, makes no statement and has no links")
    if author is not None and len(wanted.tags) >= MAX_TAGS:
        raise BadRequestError(f"at most {MAX_TAGS - 1} tags: one more will name its author")
    command: MemoryCommand = {**storing(agent, wanted), "session": session_id, "author": author, "timestamp": now}
    foreseen(sessions, command, now)
    receipt = await remember(served, command, wanted.wait)
    response.status_code = 201 if receipt.visible else 202
    return receipt


@router.get("/{session_id}/memories", operation_id="retrieve_from_session", dependencies=[Waited])
async def retrieve_from_session(
    agent: AgentParam,
    session_id: SessionParam,
    served: Served,
    when: MomentParam,
    limit: Annotated[int, Query(ge=1, le=LIST_LIMIT, description="Most memories to list.")] = 100,
) -> MemoryList:
    """What a session holds, newest first; of an ended one nothing."""
    await _known(served, agent, session_id)
    return await held(served, agent, session_id, when, limit)


async def held(served: Services, agent: bytes, session_id: bytes, when: Moment, limit: int) -> MemoryList:
    """What a session holds, newest first."""
    marks = rules.zones((await served.sessions.fresh(agent)).values(), session_id)
    found = await served.reads.list(agent, MemoryFilter(limit=limit, sessions=marks), when)
    return MemoryList(agent=to_hex(agent), items=[MemoryView.of(*shown) for shown in found], as_of=served.reads.as_of(when))


@router.post("/{session_id}/query", operation_id="query_session")
async def query_session(agent: AgentParam, session_id: SessionParam, wanted: SessionQueryRequest, served: Served) -> Context:
    """What a session holds that is nearest to the question; of nothing outside of it."""
    await _known(served, agent, session_id)
    return await asked(served, agent, session_id, wanted)


async def asked(served: Services, agent: bytes, session_id: bytes, wanted: SessionQueryRequest) -> Context:
    """The answer from what a session holds."""
    when = await settled(served, agent, wanted)
    marks = rules.zones((await served.sessions.fresh(agent)).values(), session_id)
    return await served.zones.find(zone_request_of(agent, marks, wanted, when))


def _terms(wanted: SessionTermsRequest) -> SessionTerms:
    others = None if wanted.collaborators is None else [parse_agent(other) for other in wanted.collaborators]
    return {
        "seconds": wanted.seconds,
        "max_memories": wanted.max_memories,
        "collaborators": others,
        "context": wanted.context,
        "goal": wanted.goal,
        "promote": wanted.promote,
        "merge_from": None,
    }


def _command(op: CommandOp, agent: bytes, session_id: bytes, terms: SessionTerms) -> MemoryCommand:
    command = plain_command(uuid.uuid4().bytes, agent, op, int(time.time()))
    return {**command, "session": session_id, "session_terms": terms}


async def _known(served: Services, agent: bytes, session_id: bytes) -> Session:
    return known(await served.sessions.fresh(agent), session_id)


async def _sent(served: Services, command: MemoryCommand, seen: Seen, wait: float) -> Session | None:
    """Sends, and waits until the session shows it; the session then."""
    agent, session_id = command["agent"], command["session"] or b""
    await served.commands.send(command)
    found: list[Session] = []

    async def shown() -> bool:
        now = (await served.sessions.fresh(agent)).get(session_id)
        if now is None or not seen(now):
            return False
        found.append(now)
        return True

    return found[-1] if await until(shown, wait) else None
