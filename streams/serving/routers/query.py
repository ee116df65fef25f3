"""Questions about an agent's memories."""

from __future__ import annotations

from fastapi import APIRouter

from streams.serving.context.asked import request_of
from streams.serving.services import AgentParam, Served
from streams.serving.wire import Context, QueryRequest

router = APIRouter(prefix="/v1/agents/{agent}", tags=["query"])


@router.post("/query", operation_id="query_context")
async def query_context(agent: AgentParam, wanted: QueryRequest, served: Served) -> Context:
    """The agent's live memories nearest to the question, or those of a window, within a budget of tokens, with citations."""
    return await served.finder.find(request_of(agent, wanted))
