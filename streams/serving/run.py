"""Runs a gateway until it is told to stop.

Invariant: a gateway one of whose views lost its place is replaced by a new one on the same ports, whose views begin anew: what
is gone from a topic is then gone from the view too. Requests meet a closed port for a moment, and nobody has to start it. One
that loses its place again soon makes way after a pause, which grows: a topic that is cut all the time is not read all the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from streams.errors import PositionLostError
from streams.ops.reporter import reporting, this_process
from streams.ports.embedder import Embedder
from streams.serving.server import Gateway, Stores
from streams.settings import GATEWAY, Settings
from streams.signing import Verifier
from streams.tracing import traced

_log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
STEADY_SECONDS = 300.0
"""A gateway that served as long begins a new row of losses."""


async def run_gateway(
    settings: Settings,
    stores: Stores,
    embedder: Embedder,
    verifier: Verifier,
    stop_event: asyncio.Event,
    *,
    started: asyncio.Future[Gateway] | None = None,
) -> None:
    """Serves until ``stop_event``. ``started`` receives the first gateway once it listens."""
    losses = 0
    while not stop_event.is_set():
        began = time.monotonic()
        gateway = Gateway(settings, stores, embedder, verifier)
        try:
            await gateway.start()
            if started is not None and not started.done():
                started.set_result(gateway)
            settings = on_ports_of(gateway, settings)
            kafka = settings.kafka.as_role(GATEWAY)
            with traced(settings, GATEWAY, this_process()):
                async with reporting(settings, kafka, GATEWAY, gateway.health, monitor=gateway.monitor):
                    if (lost := await _until(stop_event, gateway)) is not None:
                        _log.warning("%s; all views begin anew", lost.message)
        finally:
            await gateway.stop()
        losses = 1 if time.monotonic() - began >= STEADY_SECONDS else losses + 1
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop_event.wait(), pause_after(losses))


def pause_after(losses: int) -> float:
    """Seconds until the next gateway, after so many losses in a row."""
    return 0.0 if losses < 2 else min(LONGEST_PAUSE, SHORTEST_PAUSE * 2 ** min(losses - 2, 16))


def on_ports_of(gateway: Gateway, settings: Settings) -> Settings:
    """The settings with the ports that were free when any were wanted, so that a successor answers at the same addresses."""
    ports = {"port": gateway.port, "metrics_port": gateway.metrics_port}
    return settings.model_copy(update={"gateway": settings.gateway.model_copy(update=ports)})


async def _until(stop_event: asyncio.Event, gateway: Gateway) -> PositionLostError | None:
    """Waits until it is to stop, or a view lost its place."""
    while True:
        try:
            await asyncio.wait_for(stop_event.wait(), LOOK_SECONDS)
        except TimeoutError:
            if (lost := gateway.lost) is not None:
                return lost
        else:
            return None
