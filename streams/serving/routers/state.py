"""State of the chain view and of the gateway itself."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from streams import __version__
from streams.core.forkview import severity
from streams.metrics import uptime
from streams.serving.limits import body_of
from streams.serving.probes import failures, score
from streams.serving.services import Served
from streams.serving.wire import Block, ChainState, ErrorBody, Health, Ready, ReorgView

router = APIRouter(tags=["state"])


@router.get("/v1/chain", operation_id="chain")
async def chain(served: Served) -> ChainState:
    """Head, finality and the latest reorganisations."""
    await served.chain.barrier()
    view = served.chain.view
    reorgs = []
    for reorg in reversed(view.reorgs):
        tip, ancestor = Block.of(reorg.tip), Block.of(reorg.ancestor)
        assert tip is not None
        assert ancestor is not None
        reorgs.append(
            ReorgView(sequence=reorg.sequence, depth=reorg.depth, severity=severity(reorg.depth), tip=tip, ancestor=ancestor)
        )
    return ChainState(
        sequence=view.sequence,
        head=Block.of(view.head),
        final=Block.of(view.final),
        reorg_count=view.undo_count,
        reorgs=reorgs,
    )


@router.get("/livez", operation_id="livez")
async def livez() -> Ready:
    """Yes, as long as the process serves requests at all."""
    return Ready(ready=True)


@router.get("/readyz", operation_id="readyz", responses={503: {"model": ErrorBody}})
async def readyz(served: Served) -> Response:
    """Whether answers would be true: the view at the end of the log, every part reachable. 503 with the reasons otherwise."""
    reasons = failures(await served.probes.components())
    if reasons:
        body = body_of("not_ready", "; ".join(reasons), "See /health for each component.")
        return JSONResponse(body, 503, headers={"retry-after": "1"})
    return JSONResponse({"ready": True})


@router.get("/health", operation_id="health", responses={503: {"model": Health}})
async def health(served: Served, response: Response) -> Health:
    """Every component, probed. 503 if one has failed."""
    components = await served.probes.components()
    states = {component.status for component in components.values()}
    status = "failed" if "failed" in states else "degraded" if "degraded" in states else "healthy"
    response.status_code = 503 if status == "failed" else 200
    return Health.model_validate(
        {
            "status": status,
            "score": score(components),
            "components": components,
            "uptime_seconds": uptime(),
            "version": __version__,
        }
    )
