"""The change feed of an agent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request, Response

from streams.serving.services import AgentParam, Served
from streams.serving.wire import CHANGE_TYPES, ChangeType, ErrorBody

router = APIRouter(prefix="/v1/agents/{agent}", tags=["changes"])

EXAMPLE = """retry: 1000
id: 2.1040.0

event: memory.stored
id: 2.1040.1
data: {"type":"memory.stored","cursor":"2.1040.1","agent":"0x70...","memory_id":"0x5c...","memory":{"text":"prefers ETH"}}

"""
FEED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events. The data of each is a Change, of `end` and `overflow` a FeedEnd.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}},
    },
    410: {"model": ErrorBody, "description": "The log does not have that place."},
    429: {"model": ErrorBody, "description": "Too many feeds are open."},
}


@router.get("/changes", operation_id="watch", response_class=Response, responses=FEED)
async def watch(  # noqa: PLR0917  (parameters are the query string)
    agent: AgentParam,
    served: Served,
    request: Request,
    type: Annotated[  # noqa: A002  (the API's name)
        list[ChangeType] | None, Query(description="Only events of these types; repeat for several.")
    ] = None,
    cursor: Annotated[str | None, Query(description="Resume after the event of this id; Last-Event-ID says the same.")] = None,
    last_event_id: Annotated[str | None, Header(description="Resume after the event of this id.")] = None,
    start: Annotated[
        Literal["now", "beginning"], Query(description="Where to begin without a cursor: `beginning` is all the log holds.")
    ] = "now",
) -> Response:
    """What happens to the agent's memories from now on, or from a place in the log on, in order, without a gap.

    A reorganisation that takes something back is an event too. Every event has an id to resume at, here or at another gateway.
    """
    place = await served.feeds.start_at(agent, last_event_id or cursor, beginning=start == "beginning")
    authorization = request.headers.get("authorization", "").encode("latin-1")

    async def allowed() -> None:
        await served.gate.admit(request.method, request.url.path, authorization)

    return served.feeds.opened(agent, place, type or CHANGE_TYPES, allowed)
