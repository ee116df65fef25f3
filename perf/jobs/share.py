"""One of several workers of a stream agent. Prints JSON lines: partitions held, then blocks committed with CPU and wall time.

argv: what (see ``perf.jobs.worker``), settings as JSON. Ends when its standard input does.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from perf.jobs.worker import FACTORIES, SEED
from streams import loops
from streams.collector import relax_collector
from streams.runtime import metrics
from streams.runtime.worker import run_worker
from streams.settings import Settings
from streams.signing import Signer, Verifier

EVERY = 0.01


async def work(what: str, settings: Settings) -> None:
    factory, signer, stop = FACTORIES[what], Signer(SEED), asyncio.Event()
    name = factory.spec.name
    held, done, folded = metrics.PARTITIONS.labels(name), metrics.BLOCKS.labels(name), metrics.FOLDED.labels(name)
    running = asyncio.create_task(run_worker(settings, [factory], Verifier([signer.public]), signer, stop))
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    before, said, idle = -1.0, 0.0, time.process_time()
    while not ended.done() and not running.done():
        if folded._value.get() == 0:
            idle = time.process_time()
        if held._value.get() != before:
            before = held._value.get()
            print(json.dumps({"held": before}), flush=True)
        if done._value.get() != said:
            said = done._value.get()
            print(json.dumps({"blocks": said, "cpu": time.process_time() - idle, "at": time.time()}), flush=True)
        await asyncio.sleep(EVERY)
    stop.set()
    await running


if __name__ == "__main__":
    relax_collector()
    loops.run(work(sys.argv[1], Settings.model_validate_json(sys.argv[2])))
