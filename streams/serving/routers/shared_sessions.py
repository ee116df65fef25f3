"""Sessions of another agent in which this one takes part: what they hold, and what it adds or asks.

Invariant: whether a session is there is told to nobody but its owner and its collaborators; who takes part is looked up in
the log as it stands when the request comes.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from streams.serving.faults import ForbiddenError
from streams.serving.routers.sessions import SessionParam, asked, held, stored
from streams.serving.routers.shared import OwnerParam
from streams.serving.services import AgentParam, MomentParam, Served, Services
from streams.serving.wire import LIST_LIMIT, Context, MemoryList, Receipt, SessionQueryRequest, StoreRequest

router = APIRouter(prefix="/v1/agents/{agent}/shared/{owner}/sessions/{session_id}", tags=["shared"])


@router.get("/memories", operation_id="shared_session_memories")
async def shared_session_memories(  # noqa: PLR0917  (path and query)
    agent: AgentParam,
    owner: OwnerParam,
    session_id: SessionParam,
    served: Served,
    when: MomentParam,
    limit: Annotated[int, Query(ge=1, le=LIST_LIMIT, description="Most memories.")] = 100,
) -> MemoryList:
    """What a session holds in which this agent takes part, newest first."""
    await _demand_part(served, agent, owner, session_id)
    found = await held(served, owner, session_id, when, limit)
    # What ends a memory of the session may lie outside of it, and has a name that is the owner's business.
    return found.model_copy(update={"items": [item.model_copy(update={"validity": None}) for item in found.items]})


@router.post("/memories", operation_id="store_in_shared_session", status_code=201)
async def store_in_shared_session(  # noqa: PLR0917  (path and body)
    agent: AgentParam, owner: OwnerParam, session_id: SessionParam, wanted: StoreRequest, served: Served, response: Response
) -> Receipt:
    """Adds a memory to a session in which this agent takes part. 201 if visible already, else 202."""
    await _demand_part(served, agent, owner, session_id)
    return await stored(served, owner, session_id, wanted, None if agent == owner else agent, response)


@router.post("/query", operation_id="query_shared_session")
async def query_shared_session(
    agent: AgentParam, owner: OwnerParam, session_id: SessionParam, wanted: SessionQueryRequest, served: Served
) -> Context:
    """What a session holds, in which this agent takes part, that is nearest to the question."""
    await _demand_part(served, agent, owner, session_id)
    found = await asked(served, owner, session_id, wanted)
    return found.model_copy(update={"items": [item.model_copy(update={"validity": None}) for item in found.items]})


async def _demand_part(served: Services, agent: bytes, owner: bytes, session_id: bytes) -> None:
    session = (await served.sessions.fresh(owner)).get(session_id)
    if session is None or agent not in {owner, *session["collaborators"]}:
        raise ForbiddenError("this agent takes part in no such session", "Its owner names the collaborators.")
