"""Requests that write, as commands: made, checked, sent, and waited for.

Invariant: what goes into the log is what the memory agent will carry out; anything it would only put among the dead letters is
refused before the log acknowledges it.
"""

from __future__ import annotations

import asyncio
import binascii
import time
import uuid
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable

from schemas.defaults import plain_command, plain_edge
from schemas.records import CommandOp, EdgeKind, MemoryCommand, MemoryEdge
from streams.agents.memory_facts import command_facts
from streams.core.ids import command_memory_id
from streams.core.structured import wrong_structure
from streams.errors import PoisonError
from streams.serving.addresses import parse_memory_id, to_hex
from streams.serving.faults import BadRequestError, TooLargeError
from streams.serving.reads import MemoryReads
from streams.serving.services import Services
from streams.serving.wire import (
    CONTENT_LIMIT,
    AmendRequest,
    Ended,
    InvalidateRequest,
    Link,
    LinkBetween,
    LinkRequest,
    MergeRequest,
    Receipt,
    StoreRequest,
    SupersedeRequest,
)
from streams.serving.write_token import Write

POLL_SECONDS = 0.05


def command_id_of(text: str | None) -> bytes:
    """The UUID's bytes, or new ones. Raises BadRequestError."""
    if text is None:
        return uuid.uuid4().bytes
    try:
        return uuid.UUID(text).bytes
    except ValueError:
        raise BadRequestError(f"command_id {text[:80]!r} is not a UUID") from None


def storing(agent: bytes, wanted: StoreRequest) -> MemoryCommand:
    """A STORE, SUPERSEDE or MERGE. Raises BadRequestError, TooLargeError."""
    if wrong := wrong_structure(_content(wanted), wanted.media_type):
        raise BadRequestError(wrong)
    op: CommandOp = "STORE"
    edges = [_link(link) for link in wanted.links]
    if isinstance(wanted, SupersedeRequest):
        op, edges = "SUPERSEDE", _ending("SUPERSEDES", wanted.supersedes) + edges
    elif isinstance(wanted, MergeRequest):
        op, edges = "MERGE", _ending("MERGES", wanted.merges) + edges
    return {
        **_plain(agent, op, wanted),
        "type": wanted.type,
        "content": _content(wanted),
        "media_type": wanted.media_type,
        "importance": wanted.importance,
        "tags": wanted.tags,
        "subject": wanted.subject,
        "predicate": wanted.predicate,
        "valid_from": wanted.valid_from,
        "valid_to": wanted.valid_to,
        "edges": edges,
    }


def linking(agent: bytes, wanted: LinkRequest) -> MemoryCommand:
    """A LINK. Raises BadRequestError."""
    return _amending(agent, "LINK", wanted, [_link(link) for link in wanted.links])


def invalidating(agent: bytes, wanted: InvalidateRequest) -> MemoryCommand:
    """An INVALIDATE. Raises BadRequestError."""
    return _amending(agent, "INVALIDATE", wanted, _ending("INVALIDATES", wanted.memories))


def _amending(agent: bytes, op: CommandOp, wanted: AmendRequest, edges: list[MemoryEdge]) -> MemoryCommand:
    return {**_plain(agent, op, wanted), "content": wanted.reason.encode(), "edges": edges}


def _plain(agent: bytes, op: CommandOp, wanted: StoreRequest | AmendRequest) -> MemoryCommand:
    at = int(time.time()) if wanted.timestamp is None else wanted.timestamp
    return plain_command(command_id_of(wanted.command_id), agent, op, at)


def _link(link: Link) -> MemoryEdge:
    source = parse_memory_id(link.source) if isinstance(link, LinkBetween) else None
    edge = plain_edge("LINK", parse_memory_id(link.target))
    return {**edge, "source": source, "relation": link.relation, "strength": link.strength}


def _ending(kind: EdgeKind, ended: Iterable[Ended]) -> list[MemoryEdge]:
    return [{**plain_edge(kind, parse_memory_id(one.memory_id)), "until": one.until} for one in ended]


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


async def remember(served: Services, command: MemoryCommand, wait: float) -> Receipt:
    """Sends a command that leaves a record, and waits until reads see that. Raises BadRequestError, UnavailableError."""
    demand_acceptable(command)
    acknowledged = await served.commands.send(command)
    agent, memory_id = command["agent"], command_memory_id(command["agent"], command["id"])
    visible = await until(lambda: _stands(served.reads, agent, memory_id), wait)
    return receipt_of(served, agent, Write(command["id"], memory_id, *acknowledged), visible=visible)


def receipt_of(served: Services, agent: bytes, write: Write, *, visible: bool) -> Receipt:
    """What is answered to a write."""
    return Receipt(
        command_id=str(uuid.UUID(bytes=write.command_id)),
        memory_id=to_hex(write.memory_id),
        visible=visible,
        write_token=served.waits.tokens.token_of(agent, write),
    )


def demand_acceptable(command: MemoryCommand) -> None:
    """Refuses what the memory agent would not carry out. Raises BadRequestError."""
    try:
        command_facts(command["agent"], command)
    except PoisonError as error:
        said = error.message.removeprefix(f"{command['op']}: ")
        raise BadRequestError(said, "/docs describes every request.") from None


async def _stands(reads: MemoryReads, agent: bytes, memory_id: bytes) -> bool:
    """Whether it is live; that it may not be true yet, or any more, is no matter here.

    A command is of no block, so that the head of the chain has no say in it, and a writer does not wait for that.
    """
    return reads.live((await reads.rows(agent, [memory_id]))[0]) is not None


async def until(condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Whether it became true in time; asks once even if there is no time."""
    deadline = time.monotonic() + seconds
    while not (done := await condition()) and time.monotonic() < deadline:  # noqa: ASYNC110  (stores give no sign)
        await asyncio.sleep(POLL_SECONDS)
    return done
