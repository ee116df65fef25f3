"""State of the chain view and of the gateway itself. /ready and /api/health are other names of /readyz and /health."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from streams import __version__
from streams.core.forkview import severity
from streams.metrics import uptime
from streams.ops.health.monitor import Prediction
from streams.ops.health.verdict import Judged
from streams.serving.gate import OPERATOR
from streams.serving.limits import body_of
from streams.serving.probes import failures
from streams.serving.services import Served
from streams.serving.wire import Block, ChainState, ComponentHealth, ErrorBody, Health, PredictedBreach, Ready, ReorgView

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


@router.get("/ready", include_in_schema=False)
@router.get("/readyz", operation_id="readyz", responses={503: {"model": ErrorBody}})
async def readyz(served: Served) -> Response:
    """Whether answers would be true: the view at the end of the log, every part reachable. 503 with the reasons otherwise."""
    reasons = failures(await served.probes.components())
    if reasons:
        body = body_of("not_ready", "; ".join(reasons), "See /health for each component.")
        return JSONResponse(body, 503, headers={"retry-after": "1"})
    return JSONResponse({"ready": True})


@router.get("/api/health", response_model_exclude_none=True, include_in_schema=False)
@router.get("/health", operation_id="health", response_model_exclude_none=True, responses={503: {"model": Health}})
async def health(request: Request, served: Served, response: Response) -> Health:
    """The deployment: to anybody how it is, to the operator every component, why, and what is about to break.

    503 if a component has failed.
    """
    verdict = await served.health.verdict()
    response.status_code = 503 if verdict.status == "failed" else 200
    if getattr(request.state, "principal", None) != OPERATOR:
        return Health(status=verdict.status, score=verdict.score)
    return Health(
        status=verdict.status,
        score=verdict.score,
        components={name: _component(one) for name, one in verdict.components.items()},
        roots=list(verdict.roots),
        predictions=[_predicted(one) for one in served.health.predictions],
        uptime_seconds=uptime(),
        version=__version__,
    )


def _component(one: Judged) -> ComponentHealth:
    return ComponentHealth(
        status=one.status,
        score=one.score,
        message=one.own.detail,
        milliseconds=round(1000 * one.own.seconds, 3),
        weight=one.weight,
        needs=list(one.needs),
        affected=one.affected,
        causes=list(one.causes),
        because=one.because,
    )


def _predicted(one: Prediction) -> PredictedBreach:
    level, breach = one.level, one.breach
    return PredictedBreach(
        component=one.component,
        of=level.of,
        value=level.value,
        limit=level.limit,
        unit=level.unit.strip(),
        expected_seconds=breach.expected,
        earliest_seconds=breach.earliest,
        latest_seconds=breach.latest,
        confidence=breach.confidence,
        text=breach.told(level),
    )
