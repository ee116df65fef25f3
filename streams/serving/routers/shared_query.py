"""A question to all that an agent may read: its own memories, and those that others have granted it.

Invariant: whose memories are looked at follows from the grants in the log as they stand when the request comes; naming owners
can only narrow it.
"""

from __future__ import annotations

import time

from fastapi import APIRouter

from schemas.records import AgentAccess
from streams.agents.access import live_grants
from streams.serving.access import AccessTable
from streams.serving.addresses import parse_agent, to_hex
from streams.serving.context.shared import Readable, SharedRequest
from streams.serving.faults import BadRequestError, ForbiddenError
from streams.serving.moments import moment_asked
from streams.serving.services import AgentParam, Served
from streams.serving.wire.shared import OWNERS_LIMIT, SharedContext, SharedQueryRequest

router = APIRouter(prefix="/v1/agents/{agent}/shared", tags=["shared"])


@router.post("/query", operation_id="query_shared")
async def query_shared(agent: AgentParam, wanted: SharedQueryRequest, served: Served) -> SharedContext:
    """The memories nearest to the question, of the agent's own and of those that others let it read, each with its owner.

    Anybody may grant anybody: what an owner that was not named has put there is not to be trusted more than its owner.
    """
    owners = None if wanted.owners is None else {parse_agent(owner) for owner in wanted.owners} - {agent}
    request = SharedRequest(
        agent,
        wanted.query,
        await readable(served.doors.table, agent, owners),
        wanted.max_results,
        wanted.min_similarity,
        wanted.max_tokens,
        await moment_asked(served.chain, wanted),
    )
    return await served.shared.find(request)


async def readable(table: AccessTable, agent: bytes, owners: set[bytes] | None) -> Readable:
    """What ``agent`` may read: all of its own, and what ``owners`` grant it; None: whoever does.

    Raises ForbiddenError for an owner who does not, BadRequestError, UnavailableError.
    """
    rows, now = await table.granting(agent), int(time.time())
    found = {row["agent"]: tags for row in rows if (tags := _granted(row, agent, now)) != frozenset()}
    if owners is not None:
        if missing := owners - found.keys():
            raise ForbiddenError(
                f"there is no grant to read of {to_hex(min(missing))}", "The owner can give one: POST /v1/agents/OWNER/grants."
            )
        found = {owner: found[owner] for owner in owners}
    if len(found) > OWNERS_LIMIT:
        raise BadRequestError(f"{len(found)} agents let this one read", f"Name up to {OWNERS_LIMIT} of them as owners.")
    return {**found, agent: None}


def _granted(row: AgentAccess, agent: bytes, now: int) -> frozenset[str] | None:
    """Tags that ``agent`` may read; None is all, an empty set nothing."""
    tags = frozenset(grant["namespace"] for grant in live_grants(row, agent, "read", now))
    return None if "" in tags else tags
