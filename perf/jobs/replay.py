"""A worker that finds no local state and must rebuild it from the log, until all its partitions run. Prints its figure as JSON.

argv: what (see ``perf.jobs.worker``), settings as JSON.
"""

from __future__ import annotations

import asyncio
import sys
import time

from perf.jobs.worker import FACTORIES, SEED
from perf.measure import Figure
from streams import loops
from streams.collector import relax_collector
from streams.runtime import metrics
from streams.runtime.worker import run_worker
from streams.settings import Settings
from streams.signing import Signer, Verifier


async def replay(what: str, settings: Settings) -> Figure:
    """From the start of the worker to the last partition's opening."""
    factory, signer, stop = FACTORIES[what], Signer(SEED), asyncio.Event()
    ready, folded = metrics.PARTITIONS.labels(factory.spec.name), metrics.FOLDED.labels(factory.spec.name)
    cpu, wall = time.process_time(), time.perf_counter()
    running = asyncio.create_task(run_worker(settings, [factory], Verifier([signer.public]), signer, stop))
    while ready._value.get() < settings.kafka.partitions:
        if running.done():
            await running
            raise SystemExit("the worker ended early")
        await asyncio.sleep(0.02)
    rows = int(folded._value.get())
    figure = Figure(f"monmouth {what}, replay", rows, time.process_time() - cpu, time.perf_counter() - wall)
    stop.set()
    await running
    return figure


if __name__ == "__main__":
    relax_collector()
    print(loops.run(replay(sys.argv[1], Settings.model_validate_json(sys.argv[2]))).as_json(), flush=True)
