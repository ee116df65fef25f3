"""An agent's state: what it is, what it was, what a replica needs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from schemas.records import MemoryType
from streams.serving.addresses import parse_root
from streams.serving.services import AgentParam, Served, Waited
from streams.serving.wire import LIST_LIMIT
from streams.serving.wire.states import CheckpointView, StateView, SyncView, TransitionsView, VerificationView

LARGEST = (1 << 63) - 1

router = APIRouter(prefix="/v1/agents/{agent}", tags=["commitments"])

Types = Annotated[list[MemoryType] | None, Query(description="Kinds; repeat for several.")]
Limit = Annotated[int, Query(ge=1, le=LIST_LIMIT, description="Most items of the answer.")]


@router.get("/state", operation_id="agent_state", dependencies=[Waited])
async def agent_state(
    agent: AgentParam,
    served: Served,
    type: Types = None,  # noqa: A002
    proofs: Annotated[bool, Query(description="Prove each memory against the root.")] = False,
    limit: Limit = 100,
) -> StateView:
    """The published root, and the memories that make it: counts of all, and the newest of the kinds asked for."""
    return await served.states.state(agent, type, proofs, limit)


@router.get("/state/verification", operation_id="verify_state")
async def verify_state(
    agent: AgentParam,
    served: Served,
    expected: Annotated[str, Query(description="Checksum or Merkle root: 0x and 64 hex digits.")],
    block: Annotated[int | None, Query(ge=0, le=LARGEST, description="Height; now, if not given.")] = None,
) -> VerificationView:
    """Whether the agent's state has, or had at a block, this checksum or Merkle root; roots that are not kept are refused."""
    return await served.states.verification(agent, parse_root(expected), block)


@router.get("/state/transitions", operation_id="transitions")
async def transitions(
    agent: AgentParam,
    served: Served,
    start: Annotated[int, Query(alias="from", ge=0, le=LARGEST, description="Height the path begins at.")],
    end: Annotated[int | None, Query(alias="to", ge=0, le=LARGEST, description="Height it ends at; now, if not given.")] = None,
    limit: Limit = LIST_LIMIT,
) -> TransitionsView:
    """How the agent's root changed between two blocks, as far as roots are kept."""
    return await served.states.transitions(agent, start, end, limit)


@router.get("/sync", operation_id="sync", dependencies=[Waited])
async def sync(  # noqa: PLR0917  (parameters are the query string)
    agent: AgentParam,
    served: Served,
    since: Annotated[int | None, Query(ge=0, le=LARGEST, description="Leave out memories of blocks up to this height.")] = None,
    type: Types = None,  # noqa: A002
    cursor: Annotated[str | None, Query(max_length=128, description="next of the page before.")] = None,
    limit: Limit = LIST_LIMIT,
) -> SyncView:
    """What another place needs to hold the same memories: all, those since a block, or those of some kinds."""
    return await served.states.sync(agent, since, type, cursor, limit)


@router.get("/checkpoint", operation_id="checkpoint")
async def checkpoint(agent: AgentParam, served: Served) -> CheckpointView:
    """Where the stream agents of the agent's partition stand, with the agent's root and the partition's newest final state."""
    return await served.states.checkpoint(agent)
