"""Erasing an agent, and what proves that it was."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from streams.serving.addresses import to_hex
from streams.serving.faults import NotFoundError
from streams.serving.services import AnyAgentParam, Served
from streams.serving.wire import WAIT_LIMIT, ErasureView

router = APIRouter(prefix="/v1/agents/{agent}", tags=["erasure"])
NOT_YET: dict[int | str, dict[str, Any]] = {202: {"model": ErasureView, "description": "Begun, and not done yet."}}


@router.delete("", operation_id="erase", responses=NOT_YET)
async def erase(
    agent: AnyAgentParam,
    served: Served,
    response: Response,
    wait: Annotated[float, Query(ge=0, le=WAIT_LIMIT, description="Seconds to wait until everything is gone.")] = 0,
) -> ErasureView:
    """Removes everything of the agent and destroys its keys, for good. 200 with a signed receipt; after 202 ask again."""
    receipt = await served.eraser.erase(agent, wait)
    response.status_code = 202 if receipt is None else 200
    return ErasureView(agent=to_hex(agent), done=receipt is not None, receipt=receipt)


@router.get("/erasure", operation_id="erasure")
async def erasure(agent: AnyAgentParam, served: Served) -> ErasureView:
    """The receipt of an erasure, or that it is under way."""
    receipt = served.eraser.receipt(agent)
    if receipt is None and not served.eraser.begun(agent):
        raise NotFoundError(f"{to_hex(agent)} was not erased", "DELETE /v1/agents/AGENT erases it.")
    return ErasureView(agent=to_hex(agent), done=receipt is not None, receipt=receipt)
