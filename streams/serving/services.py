"""What the routes work with, and how they get it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Query, Request

from schemas.codec import codec
from streams.core.moment import Moment
from streams.decoding.reading import Reader
from streams.serving.access import Doorkeeping
from streams.serving.addresses import parse_agent, parse_block, parse_memory_id, to_hex
from streams.serving.cache.finder import CachedFinder
from streams.serving.chain import ChainReader
from streams.serving.commands import CommandLog
from streams.serving.context.finder import ContextFinder
from streams.serving.context.proven import ProvenContexts
from streams.serving.context.shared import SharedFinder
from streams.serving.eraser import Eraser
from streams.serving.faults import GoneError
from streams.serving.feed.stream import Feeds
from streams.serving.final_logs import LogProver
from streams.serving.gate import Gate
from streams.serving.graph.reads import GraphReads
from streams.serving.moments import moment_of
from streams.serving.ops.dashboard import Dashboard
from streams.serving.ops.health import SystemHealth
from streams.serving.ops.live import Live
from streams.serving.packages import Packages
from streams.serving.probes import Probes
from streams.serving.proofs import Prover
from streams.serving.reads import MemoryReads
from streams.serving.registry.log import SchemaRegistry
from streams.serving.sessions import SessionTable
from streams.serving.states import AgentStates
from streams.serving.sync.desk import SyncDesk
from streams.serving.vectors import QueryVectors
from streams.serving.waits import Awaited, Waits
from streams.serving.wire import WAIT_LIMIT


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one gateway."""

    chain: ChainReader
    reads: MemoryReads
    finder: CachedFinder
    zones: ContextFinder
    commands: CommandLog
    proofs: Prover
    packages: Packages
    sessions: SessionTable
    logs: LogProver
    probes: Probes
    health: SystemHealth
    vectors: QueryVectors
    reader: Reader
    gate: Gate
    eraser: Eraser
    graph: GraphReads
    feeds: Feeds
    waits: Waits
    proven: ProvenContexts
    states: AgentStates
    doors: Doorkeeping
    shared: SharedFinder
    registry: SchemaRegistry
    sync: SyncDesk
    dashboard: Dashboard
    live: Live


# Asynchronous, though none of these waits: FastAPI sends a plain function to a thread, at each request, and waits for it.


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


async def _agent(agent: Annotated[str, Path(description="Address of the agent: 0x and 40 hex digits.")]) -> bytes:
    return parse_agent(agent)


async def _known_agent(agent: Annotated[bytes, Depends(_agent)]) -> bytes:
    if codec().erased(agent):
        raise GoneError(f"{to_hex(agent)} was erased", "GET /v1/agents/AGENT/erasure gives the receipt.")
    return agent


async def _memory_id(memory_id: Annotated[str, Path(description="Id of the memory: 0x and 64 hex digits.")]) -> bytes:
    return parse_memory_id(memory_id)


async def _moment(
    served: Annotated[Services, Depends(_services)],
    as_of_block: Annotated[int | None, Query(ge=0, description="Answer by what was known at this block.")] = None,
    as_of_time: Annotated[int | None, Query(description="Answer by what was known at this time; unix seconds.")] = None,
    valid_at: Annotated[int | None, Query(description="What was true then; None is now, or the moment of as_of.")] = None,
    include_invalid: Annotated[bool, Query(description="Also what is not true then.")] = False,
) -> Moment:
    return await moment_of(
        served.chain, as_of_block=as_of_block, as_of_time=as_of_time, valid_at=valid_at, include_invalid=include_invalid
    )


Served = Annotated[Services, Depends(_services)]
MomentParam = Annotated[Moment, Depends(_moment)]
AgentParam = Annotated[bytes, Depends(_known_agent)]
"""An agent that was not erased."""
AnyAgentParam = Annotated[bytes, Depends(_agent)]


async def _waited(
    agent: AgentParam,
    served: Served,
    wait_for: Annotated[str | None, Query(description="write_token of a receipt: answer when its effect shows.")] = None,
    wait_for_block: Annotated[str | None, Query(description="Number or hash: answer when that block is taken in.")] = None,
    wait: Annotated[float, Query(ge=0, le=WAIT_LIMIT, description="Seconds to wait at most; then 504.")] = 5.0,
) -> None:
    block = None if wait_for_block is None else parse_block(wait_for_block)
    await served.waits.settle(agent, Awaited(wait_for, block, wait))


Waited = Depends(_waited)
"""Dependency of a read that can wait for a write or a block."""
MemoryIdParam = Annotated[bytes, Depends(_memory_id)]
