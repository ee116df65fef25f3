"""Circuits of this process: how they stand, and opening, closing and clearing them by hand. For the operator.

Invariant: only circuits that are there are touched, and only in the process that answers; others have their own.
"""

from __future__ import annotations

import logging
import math
from statistics import fmean

from fastapi import APIRouter

from streams import policy
from streams.policy import View
from streams.serving.faults import NotFoundError
from streams.serving.wire.circuits import CircuitList, CircuitRequest, CircuitState, CircuitView, OpenCircuitRequest

log = logging.getLogger(__name__)
router = APIRouter(prefix="/v1/circuits", tags=["operations"])
STATES: dict[policy.State, CircuitState] = {
    policy.State.CLOSED: "closed",
    policy.State.OPEN: "open",
    policy.State.HALF_OPEN: "half_open",
}


@router.get("", operation_id="circuits")
async def circuits() -> CircuitList:
    """The circuits of this gateway: one for each store and place outside that it asks."""
    return CircuitList(circuits=[_view(view) for view in policy.views()])


@router.post("/open", operation_id="open_circuit")
async def open_circuit(wanted: OpenCircuitRequest) -> CircuitView:
    """Has calls to a place refused at once, whatever they would come to, for so long or until it is closed."""
    seconds = math.inf if wanted.seconds is None else wanted.seconds
    return _acted(wanted.name, "opened", policy.force_open(wanted.name, seconds))


@router.post("/close", operation_id="close_circuit")
async def close_circuit(wanted: CircuitRequest) -> CircuitView:
    """Lets calls to a place through again; failures are counted anew, and as many as ever open it."""
    return _acted(wanted.name, "closed", policy.force_close(wanted.name))


@router.post("/reset", operation_id="reset_circuit")
async def reset_circuit(wanted: CircuitRequest) -> CircuitView:
    """Closes a circuit and forgets what it has counted and measured, as if it were new."""
    return _acted(wanted.name, "reset", policy.reset(wanted.name))


def _acted(name: str, done: str, there: bool) -> CircuitView:
    found = next((view for view in policy.views() if view.name == name), None) if there else None
    if found is None:
        names = ", ".join(repr(view.name) for view in policy.views()) or "none"
        raise NotFoundError(f"this gateway has no circuit {name[:80]!r}", f"There are: {names}.")
    log.warning("circuit %s was %s by hand", name, done)
    return _view(found)


def _view(view: View) -> CircuitView:
    waits = view.state is policy.State.OPEN and math.isfinite(view.retry_after)
    return CircuitView(
        name=view.name,
        state=STATES[view.state],
        failures=view.failures,
        running=view.running,
        retry_after=round(view.retry_after, 3) if waits else None,
        why=view.last_failure,
        mean_seconds=fmean(view.seconds) if view.seconds else None,
    )
