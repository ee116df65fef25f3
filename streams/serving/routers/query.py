"""Questions about an agent's memories."""

from __future__ import annotations

from fastapi import APIRouter, Response

from streams.core.moment import Moment
from streams.serving.addresses import parse_block
from streams.serving.context.asked import request_of
from streams.serving.moments import moment_asked
from streams.serving.services import AgentParam, Served, Services
from streams.serving.waits import Awaited
from streams.serving.wire import Context, QueryRequest, Terms

CACHE_HEADER = "x-monmouth-cache"
"""Whether the answer was computed before; it is the same answer either way."""

router = APIRouter(prefix="/v1/agents/{agent}", tags=["query"])


@router.post("/query", operation_id="query_context", response_model=Context)
async def query_context(agent: AgentParam, wanted: QueryRequest, served: Served) -> Response:
    """The agent's live memories nearest to the question, or those of a window, within a budget of tokens, with citations."""
    request = request_of(agent, wanted, await settled(served, agent, wanted))
    if wanted.proofs:
        proven = await served.proven.find(request)
        return Response(proven.model_dump_json(), media_type="application/json")
    answered = await served.finder.answer(request)
    headers = {CACHE_HEADER: "hit" if answered.cached else "miss"}
    return Response(answered.body, media_type="application/json", headers=headers)


async def settled(served: Services, agent: bytes, wanted: Terms) -> Moment:
    """The moment a question is about, once the stores show what it waits for. Raises LateError, BadRequestError."""
    block = wanted.wait_for_block
    await served.waits.settle(agent, Awaited(wanted.wait_for, None if block is None else parse_block(str(block)), wanted.wait))
    return await moment_asked(served.chain, wanted)
