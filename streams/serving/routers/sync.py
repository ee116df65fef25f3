"""What another deployment of the chain asks, to compare: open to the operator and to the partner's token."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Query

from streams.serving.addresses import parse_agent, parse_memory_id, parse_root
from streams.serving.services import Served
from streams.serving.wire.sync import (
    AgentsView,
    ChildrenView,
    KeptCheckpoint,
    KeptHeights,
    RowsView,
    SnapshotView,
    StretchView,
    SyncSummary,
)

LARGEST = (1 << 63) - 1
router = APIRouter(prefix="/v1/sync", tags=["sync"], include_in_schema=False)

Id = Annotated[str, Path(max_length=64)]
Prefix = Annotated[str, Query(pattern=r"^[0-9a-f]{0,40}$")]
Number = Annotated[int, Path(ge=0, le=LARGEST)]


@router.get("")
async def summary(served: Served) -> SyncSummary:
    """Who answers, and how far it is."""
    return await served.sync.summary()


@router.get("/checkpoints")
async def heights(served: Served) -> KeptHeights:
    """Heights of checkpoints that are kept."""
    return await served.sync.heights()


@router.get("/checkpoints/{number}")
async def checkpoint(number: Number, served: Served) -> KeptCheckpoint:
    """One checkpoint."""
    return await served.sync.checkpoint(number)


@router.post("/snapshots", status_code=202)
async def open_(
    served: Served,
    number: Annotated[int, Body(ge=0, le=LARGEST)],
    hash: Annotated[str, Body(max_length=80)],  # noqa: A002
) -> SnapshotView:
    """Begins to digest the store as of a block."""
    return await served.sync.open(number, parse_root(hash))


@router.get("/snapshots/{name}")
async def snapshot(name: Id, served: Served) -> SnapshotView:
    """How far a snapshot is."""
    return served.sync.snapshot(name)


@router.get("/snapshots/{name}/stretches/{number}")
async def stretch(name: Id, number: Number, served: Served) -> StretchView:
    """Digest of all facts up to the end of a stretch of blocks."""
    return served.sync.stretch(name, number)


@router.get("/snapshots/{name}/children")
async def children(name: Id, served: Served, prefix: Prefix = "") -> ChildrenView:
    """The nodes below a node of the tree over agents."""
    return served.sync.children(name, prefix)


@router.get("/snapshots/{name}/agents")
async def agents(name: Id, served: Served, prefix: Prefix = "") -> AgentsView:
    """All agents of a node of few."""
    return served.sync.agents(name, prefix)


@router.get("/snapshots/{name}/agents/{agent}/rows")
async def rows(
    name: Id,
    agent: Annotated[str, Path(max_length=64)],
    served: Served,
    after: Annotated[str | None, Query(max_length=80)] = None,
) -> RowsView:
    """Memories of an agent, with their facts of blocks."""
    place = None if after is None else parse_memory_id(after)
    return await served.sync.rows(name, parse_agent(agent), place)
