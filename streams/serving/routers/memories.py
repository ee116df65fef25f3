"""Memories of an agent: a route for each verb, and to list and read them."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from schemas.records import MemoryCommand, MemoryType
from streams.core.ids import command_cause
from streams.ports.stores import MemoryFilter
from streams.serving import metrics
from streams.serving.addresses import to_hex
from streams.serving.commands import forget_command
from streams.serving.faults import BadRequestError, NotFoundError
from streams.serving.reads import MemoryReads
from streams.serving.services import AgentParam, MemoryIdParam, MomentParam, Served, Services, Waited
from streams.serving.wire import (
    LIST_LIMIT,
    WAIT_LIMIT,
    InvalidateRequest,
    LinkRequest,
    MemoryList,
    MemoryView,
    MergeRequest,
    Receipt,
    StoreRequest,
    SupersedeRequest,
)
from streams.serving.write_token import Write
from streams.serving.writes import command_id_of, invalidating, linking, receipt_of, remember, storing, until

router = APIRouter(prefix="/v1/agents/{agent}/memories", tags=["memories"])

CommandIdParam = Annotated[str | None, Query(description="UUID; repeat one to make a retry harmless.")]


NOT_YET: dict[int | str, dict[str, Any]] = {202: {"model": Receipt, "description": "Not visible yet."}}


@router.post("", operation_id="store", status_code=201, responses=NOT_YET)
async def store(agent: AgentParam, wanted: StoreRequest, served: Served, response: Response) -> Receipt:
    """Writes a STORE command to the log. 201 if reads show the memory already, else 202."""
    return await _stored(served, storing(agent, wanted), wanted.wait, response)


@router.post("/supersede", operation_id="supersede", status_code=201, responses=NOT_YET)
async def supersede(agent: AgentParam, wanted: SupersedeRequest, served: Served, response: Response) -> Receipt:
    """Keeps a memory that takes the place of others: these stay, and are true until it is. 201 if visible already, else 202."""
    return await _stored(served, storing(agent, wanted), wanted.wait, response)


@router.post("/merge", operation_id="merge", status_code=201, responses=NOT_YET)
async def merge(agent: AgentParam, wanted: MergeRequest, served: Served, response: Response) -> Receipt:
    """Keeps a memory that says what others said: these stay, and are true until it is. 201 if visible already, else 202."""
    return await _stored(served, storing(agent, wanted), wanted.wait, response)


@router.post("/link", operation_id="link", status_code=201, responses=NOT_YET)
async def link(agent: AgentParam, wanted: LinkRequest, served: Served, response: Response) -> Receipt:
    """Says that memories belong together, in an amendment of its own id. 201 if visible already, else 202."""
    return _answered(await remember(served, linking(agent, wanted), wanted.wait), response)


@router.post("/invalidate", operation_id="invalidate", status_code=201, responses=NOT_YET)
async def invalidate(agent: AgentParam, wanted: InvalidateRequest, served: Served, response: Response) -> Receipt:
    """Says that memories are no longer true, in an amendment of its own id. 201 if visible already, else 202."""
    return _answered(await remember(served, invalidating(agent, wanted), wanted.wait), response)


async def _stored(served: Services, command: MemoryCommand, wait: float, response: Response) -> Receipt:
    receipt = await remember(served, command, wait)
    metrics.STORE_COMMANDS.inc()
    return _answered(receipt, response)


def _answered(receipt: Receipt, response: Response) -> Receipt:
    response.status_code = 201 if receipt.visible else 202
    return receipt


@router.get("", operation_id="retrieve", dependencies=[Waited])
async def retrieve(  # noqa: PLR0917  (parameters are the query string)
    agent: AgentParam,
    served: Served,
    when: MomentParam,
    type: Annotated[list[MemoryType] | None, Query(description="Kinds; repeat for several.")] = None,  # noqa: A002
    tag: Annotated[list[str] | None, Query(description="Labels; repeat for several.")] = None,
    min_importance: Annotated[float, Query(ge=0, le=1, description="Least importance.")] = 0.0,
    since: Annotated[int | None, Query(description="Unix seconds, inclusive.")] = None,
    until: Annotated[int | None, Query(description="Unix seconds, inclusive.")] = None,
    max_age: Annotated[int | None, Query(ge=0, description="Seconds back from now; instead of since.")] = None,
    limit: Annotated[int, Query(ge=1, le=LIST_LIMIT, description="Most memories to list.")] = 100,
    amendments: Annotated[bool, Query(description="Also links and invalidations.")] = False,
    order: Annotated[Literal["newest", "oldest"], Query(description="Which come first, and are within the limit.")] = "newest",
) -> MemoryList:
    """Live memories that match and are true at the moment asked about, newest first unless told."""
    if max_age is not None and since is not None:
        raise BadRequestError("since and max_age say the same thing twice", "Give one of them.")
    wanted = MemoryFilter(
        types=frozenset(type) if type else None,
        tags=frozenset(tag) if tag else None,
        min_importance=min_importance,
        since=int(time.time()) - max_age if max_age is not None else since,
        until=until,
        limit=limit,
        forms=frozenset({"MEMORY", "AMENDMENT"}) if amendments else frozenset({"MEMORY"}),
    )
    listing = served.reads.oldest if order == "oldest" else served.reads.list
    found = await listing(agent, wanted, when)
    return MemoryList(agent=to_hex(agent), items=[MemoryView.of(*shown) for shown in found], as_of=served.reads.as_of(when))


@router.get("/{memory_id}", operation_id="get", dependencies=[Waited])
async def get(agent: AgentParam, memory_id: MemoryIdParam, served: Served, when: MomentParam) -> MemoryView:
    """One live memory or amendment that is true at the moment asked about."""
    shown = await served.reads.get(agent, memory_id, when)
    if shown is None:
        raise NotFoundError(
            f"agent has no live memory {to_hex(memory_id)}",
            "It may not have arrived yet, was forgotten, or is not true at that moment: include_invalid=true tells.",
        )
    return MemoryView.of(*shown)


@router.delete(
    "/{memory_id}", operation_id="forget", status_code=202, responses={200: {"model": Receipt, "description": "Gone."}}
)
async def forget(  # noqa: PLR0917  (parameters are the query string)
    agent: AgentParam,
    memory_id: MemoryIdParam,
    served: Served,
    response: Response,
    command_id: CommandIdParam = None,
    wait: Annotated[float, Query(ge=0, le=WAIT_LIMIT, description="Seconds to wait until reads show it gone.")] = 0,
) -> Receipt:
    """Writes a FORGET command to the log. 200 if reads show its effect already, else 202."""
    command = command_id_of(command_id)
    acknowledged = await served.commands.send(forget_command(agent, command, memory_id, int(time.time())))
    metrics.MEMORIES_FORGOTTEN.inc()
    visible = await until(lambda: _forgotten(served.reads, agent, command, memory_id), wait)
    response.status_code = 200 if visible else 202
    return receipt_of(served, agent, Write(command, memory_id, *acknowledged), visible=visible)


async def _forgotten(reads: MemoryReads, agent: bytes, command: bytes, memory_id: bytes) -> bool:
    """Whether the DELETE of this very command stands: an id that was never stored is not visibly forgotten before that."""
    rows = await reads.rows(agent, [memory_id])
    return rows[0] is not None and any(fact.cause == command_cause(agent, command) for fact in rows[0].presence.deletes)
