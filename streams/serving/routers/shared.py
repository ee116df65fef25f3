"""Memories of another agent, as far as that one has granted them.

A view of its own, so that what is added to an agent's own routes is never shared by oversight: what is not filtered here is not
here. Invariants: the grant is looked up in the log as it stands when the request comes, so that what was taken back is shut at
once; an item is shown only if it carries a tag granted to whoever asks; what is hidden is counted nowhere.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from schemas.records import Memory
from streams.agents.access import live_grants
from streams.agents.memory_facts import command_facts
from streams.core.ids import command_memory_id
from streams.core.session import in_zone
from streams.errors import PoisonError
from streams.ports.stores import MemoryFilter
from streams.serving.addresses import parse_agent, to_hex
from streams.serving.commands import store_command
from streams.serving.context.request import EVERYTHING, ContextRequest, Only
from streams.serving.faults import BadRequestError, ForbiddenError, NotFoundError
from streams.serving.moments import moment_asked
from streams.serving.services import AgentParam, MemoryIdParam, MomentParam, Served, Services
from streams.serving.wire import LIST_LIMIT, Context, ContextItem, MemoryList, MemoryView, QueryRequest, Receipt
from streams.serving.wire.access import SharedStoreRequest

MOMENT = frozenset({"as_of_block", "as_of_time", "valid_at", "include_invalid"})
ASKED_OF_SHARED = frozenset({"query", "max_results", "min_similarity", "max_tokens"}) | MOMENT

router = APIRouter(prefix="/v1/agents/{agent}/shared/{owner}", tags=["shared"])


async def _owner(owner: Annotated[str, Path(description="Whose memories: an address.")]) -> bytes:
    return parse_agent(owner)


OwnerParam = Annotated[bytes, Depends(_owner)]


async def namespaces(served: Services, owner: bytes, agent: bytes, right: str) -> frozenset[str]:
    """Tags of ``owner`` that ``agent`` has ``right`` to; the empty one is all. Raises ForbiddenError."""
    access = await served.doors.table.fresh(owner)
    found = frozenset(grant["namespace"] for grant in live_grants(access, agent, right, int(time.time())))
    if not found:
        raise ForbiddenError(f"there is no grant to {right}", "The owner can give one: POST /v1/agents/OWNER/grants.")
    return found


def _shows(granted: frozenset[str], tags: Iterable[str]) -> bool:
    return "" in granted or not granted.isdisjoint(tags)


def _bare(item: ContextItem) -> ContextItem:
    """Without what names other memories, which may be hidden."""
    if item.validity is None:
        return item
    named: dict[str, list[str]] = {"superseded_by": [], "invalidated_by": [], "contradicts": []}
    return item.model_copy(update={"validity": item.validity.model_copy(update=named)})


def _view(memory: Memory) -> MemoryView:
    """Without its edges, which may name memories that are hidden."""
    return MemoryView.of({**memory, "edges": []})


@router.get("/memories", operation_id="shared_memories")
async def shared_memories(  # noqa: PLR0917  (path and query)
    agent: AgentParam,
    owner: OwnerParam,
    served: Served,
    when: MomentParam,
    tag: Annotated[list[str] | None, Query(description="Labels; repeat for several.")] = None,
    limit: Annotated[int, Query(ge=1, le=LIST_LIMIT, description="Most memories.")] = 100,
) -> MemoryList:
    """Memories that the owner lets this agent read, newest first."""
    granted = await namespaces(served, owner, agent, "read")
    tags = frozenset(tag) if tag else None if "" in granted else granted
    narrowed = tag is not None and "" not in granted  # by both: the store knows one of them
    found = await served.reads.list(owner, MemoryFilter(tags=tags, limit=LIST_LIMIT if narrowed else limit), when)
    items = [_view(shown.memory) for shown in found if _shows(granted, shown.memory["tags"])][:limit]
    return MemoryList(agent=to_hex(owner), items=items, as_of=served.reads.as_of(when))


@router.get("/memories/{memory_id}", operation_id="shared_memory")
async def shared_memory(
    agent: AgentParam, owner: OwnerParam, memory_id: MemoryIdParam, served: Served, when: MomentParam
) -> MemoryView:
    """One memory that the owner lets this agent read."""
    granted = await namespaces(served, owner, agent, "read")
    shown = await served.reads.get(owner, memory_id, when)
    if shown is None or in_zone(shown.memory) or not _shows(granted, shown.memory["tags"]):
        raise NotFoundError(f"there is no memory {to_hex(memory_id)} to read here")
    return _view(shown.memory)


@router.post("/query", operation_id="shared_query")
async def shared_query(agent: AgentParam, owner: OwnerParam, wanted: QueryRequest, served: Served) -> Context:
    """Of the owner's memories nearest to the question, those that the owner lets this agent read."""
    if more := sorted(wanted.model_fields_set - ASKED_OF_SHARED):
        raise BadRequestError(f"{', '.join(more)}: not of what another agent shares", "Ask in words, with limits and a moment.")
    granted = await namespaces(served, owner, agent, "read")
    only = EVERYTHING if "" in granted else Only(tags=tuple(sorted(granted)))
    when = await moment_asked(served.chain, wanted)
    request = ContextRequest(
        owner, wanted.query, wanted.max_results, wanted.min_similarity, wanted.max_tokens, only=only, when=when
    )
    found = await served.finder.find(request)
    items = [_bare(item) for item in found.items if _shows(granted, item.tags)]
    return Context(
        agent=to_hex(owner),
        query=wanted.query,
        items=items,
        tokens=sum(item.tokens for item in items),
        left_out=0,
        as_of=found.as_of,
    )


@router.post("/memories", operation_id="shared_store", status_code=202)
async def shared_store(agent: AgentParam, owner: OwnerParam, wanted: SharedStoreRequest, served: Served) -> Receipt:
    """Keeps a memory with the owner, under a tag that the owner lets this agent write."""
    granted = await namespaces(served, owner, agent, "write")
    tags = list(dict.fromkeys([*([wanted.namespace] if wanted.namespace else []), *wanted.tags]))
    if "" not in granted and not (tags and granted.issuperset(tags)):
        raise ForbiddenError("there is no grant to write under these tags", "Name granted namespaces, and no other tags.")
    command_id = (wanted.command_id or uuid.uuid4()).bytes
    command = store_command(
        owner,
        command_id,
        wanted.text.encode(),
        media_type="text/plain",
        kind=wanted.type,
        importance=wanted.importance,
        tags=tags,
        timestamp=int(time.time()),  # the gateway's word: the grant is judged by it
    )
    try:
        command_facts(owner, command)
    except PoisonError as error:
        raise BadRequestError(error.message.removeprefix("STORE: ")) from None
    await served.commands.send({**command, "author": None if agent == owner else agent})
    memory_id = to_hex(command_memory_id(owner, command_id))
    return Receipt(command_id=str(uuid.UUID(bytes=command_id)), memory_id=memory_id, visible=False)
