"""Memories of an agent: store, list, read, forget."""

from __future__ import annotations

import asyncio
import binascii
import time
import uuid
from base64 import b64decode
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import APIRouter, Query, Response

from schemas.records import Memory, MemoryCommand, MemoryType
from streams.agents.memory_facts import command_facts
from streams.core.ids import command_cause, command_memory_id
from streams.errors import PoisonError
from streams.ports.stores import MemoryFilter
from streams.serving import metrics
from streams.serving.addresses import to_hex
from streams.serving.commands import forget_command, store_command
from streams.serving.faults import BadRequestError, NotFoundError, TooLargeError
from streams.serving.reads import MemoryReads
from streams.serving.services import AgentParam, MemoryIdParam, Served, Services, Waited
from streams.serving.wire import (
    CONTENT_LIMIT,
    LIST_LIMIT,
    WAIT_LIMIT,
    MemoryList,
    MemoryView,
    Receipt,
    StoreRequest,
)
from streams.serving.write_token import Write

router = APIRouter(prefix="/v1/agents/{agent}/memories", tags=["memories"])

POLL_SECONDS = 0.05
CommandIdParam = Annotated[str | None, Query(description="UUID; repeat one to make a retry harmless.")]


@router.post("", operation_id="store", status_code=201, responses={202: {"model": Receipt, "description": "Not visible yet."}})
async def store(agent: AgentParam, wanted: StoreRequest, served: Served, response: Response) -> Receipt:
    """Writes a STORE command to the log. 201 if reads show the memory already, else 202."""
    command_id = _command_id(wanted.command_id)
    command = store_command(
        agent,
        command_id,
        _content(wanted),
        media_type=wanted.media_type,
        kind=wanted.type,
        importance=wanted.importance,
        tags=wanted.tags,
        timestamp=int(time.time()) if wanted.timestamp is None else wanted.timestamp,
    )
    _demand_acceptable(command)
    acknowledged = await served.commands.send(command)
    metrics.MEMORIES_STORED.inc()
    memory_id = command_memory_id(agent, command_id)
    visible = await until(lambda: _shows(served.reads, agent, memory_id), wanted.wait)
    response.status_code = 201 if visible else 202
    write = Write(command_id, memory_id, *acknowledged)
    return _receipt(agent, write, visible, served)


@router.get("", operation_id="retrieve", dependencies=[Waited])
async def retrieve(  # noqa: PLR0917  (parameters are the query string)
    agent: AgentParam,
    served: Served,
    type: Annotated[list[MemoryType] | None, Query(description="Kinds; repeat for several.")] = None,  # noqa: A002
    tag: Annotated[list[str] | None, Query(description="Labels; repeat for several.")] = None,
    min_importance: Annotated[float, Query(ge=0, le=1)] = 0.0,
    since: Annotated[int | None, Query(description="Unix seconds, inclusive.")] = None,
    until: Annotated[int | None, Query(description="Unix seconds, inclusive.")] = None,
    max_age: Annotated[int | None, Query(ge=0, description="Seconds back from now; instead of since.")] = None,
    limit: Annotated[int, Query(ge=1, le=LIST_LIMIT)] = 100,
) -> MemoryList:
    """Live memories that match, newest first."""
    if max_age is not None and since is not None:
        raise BadRequestError("since and max_age say the same thing twice", "Give one of them.")
    wanted = MemoryFilter(
        types=frozenset(type) if type else None,
        tags=frozenset(tag) if tag else None,
        min_importance=min_importance,
        since=int(time.time()) - max_age if max_age is not None else since,
        until=until,
        limit=limit,
    )
    found = await served.reads.list(agent, wanted)
    return MemoryList(agent=to_hex(agent), items=[MemoryView.of(memory) for memory in found], as_of=served.reads.as_of())


@router.get("/{memory_id}", operation_id="get", dependencies=[Waited])
async def get(agent: AgentParam, memory_id: MemoryIdParam, served: Served) -> MemoryView:
    """One live memory."""
    return MemoryView.of(_present(await served.reads.get(agent, memory_id), memory_id))


@router.delete("/{memory_id}", operation_id="forget", status_code=202)
async def forget(  # noqa: PLR0917  (parameters are the query string)
    agent: AgentParam,
    memory_id: MemoryIdParam,
    served: Served,
    response: Response,
    command_id: CommandIdParam = None,
    wait: Annotated[float, Query(ge=0, le=WAIT_LIMIT, description="Seconds to wait until reads show it gone.")] = 0,
) -> Receipt:
    """Writes a FORGET command to the log. 200 if reads show its effect already, else 202."""
    command = _command_id(command_id)
    acknowledged = await served.commands.send(forget_command(agent, command, memory_id, int(time.time())))
    metrics.MEMORIES_FORGOTTEN.inc()
    visible = await until(lambda: _forgotten(served.reads, agent, command, memory_id), wait)
    response.status_code = 200 if visible else 202
    return _receipt(agent, Write(command, memory_id, *acknowledged), visible, served)


def _receipt(agent: bytes, write: Write, visible: bool, served: Services) -> Receipt:
    return Receipt(
        command_id=str(uuid.UUID(bytes=write.command_id)),
        memory_id=to_hex(write.memory_id),
        visible=visible,
        write_token=served.waits.tokens.token_of(agent, write),
    )


def _command_id(text: str | None) -> bytes:
    if text is None:
        return uuid.uuid4().bytes
    try:
        return uuid.UUID(text).bytes
    except ValueError:
        raise BadRequestError(f"command_id {text[:80]!r} is not a UUID") from None


def _content(wanted: StoreRequest) -> bytes:
    if (wanted.text is None) == (wanted.content_base64 is None):
        raise BadRequestError("give exactly one of text and content_base64")
    try:
        content = wanted.text.encode() if wanted.text is not None else b64decode(wanted.content_base64 or "", validate=True)
    except (binascii.Error, ValueError):
        raise BadRequestError("content_base64 is not base64") from None
    if not content:
        raise BadRequestError("the content is empty")
    if len(content) > CONTENT_LIMIT:
        raise TooLargeError(f"the content has {len(content)} bytes; the limit is {CONTENT_LIMIT}", "Store it in parts.")
    return content


def _demand_acceptable(command: MemoryCommand) -> None:
    """Refuses, before the log acknowledges it, what the memory agent would only put among the dead letters."""
    try:
        command_facts(command["agent"], command)
    except PoisonError as error:
        raise BadRequestError(error.message.removeprefix("STORE: "), "/docs describes every request.") from None


def _present(memory: Memory | None, memory_id: bytes) -> Memory:
    if memory is None:
        raise NotFoundError(f"agent has no live memory {to_hex(memory_id)}", "It may not have arrived yet, or was forgotten.")
    return memory


async def _shows(reads: MemoryReads, agent: bytes, memory_id: bytes) -> bool:
    return await reads.get(agent, memory_id) is not None


async def _forgotten(reads: MemoryReads, agent: bytes, command: bytes, memory_id: bytes) -> bool:
    """Whether the DELETE of this very command stands: an id that was never stored is not visibly forgotten before that."""
    rows = await reads.rows(agent, [memory_id])
    return rows[0] is not None and any(fact.cause == command_cause(agent, command) for fact in rows[0].presence.deletes)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Whether it became true in time; asks once even if there is no time."""
    deadline = time.monotonic() + seconds
    while not (done := await condition()) and time.monotonic() < deadline:  # noqa: ASYNC110  (stores give no sign)
        await asyncio.sleep(POLL_SECONDS)
    return done
