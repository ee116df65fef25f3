"""Seconds from kill -9 of a worker to the next committed progress of every partition, by the worker that is left.

    .venv/bin/python -m perf.takeover [--kills 5]

Blocks keep flowing. Both workers run intent, memory and lattice; a partition counts as taken over when a checkpoint is
committed that settles a block which was not settled in that partition when the worker was killed. The survivor's own
partitions are counted too, since a rebalance stops them for a while.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from perf.pipeline import Pipeline, Watch, mine, pipeline, quantile, until, watching

GOAL = 10.0
BLOCK_SECONDS = 0.25


async def measure(line: Pipeline, kills: int) -> list[float]:
    """Seconds of each take-over."""
    line.producer()
    victim = line.worker()
    taken: list[float] = []

    async def flow() -> None:
        while True:
            await asyncio.to_thread(mine, line.node, 1, 10)
            await asyncio.sleep(BLOCK_SECONDS)

    async with watching(line.settings) as watch:
        flowing = asyncio.create_task(flow())
        try:
            await until(lambda: watch.progress.keys() >= set(line.shares()), "first progress everywhere")
            for _ in range(kills):
                survivor = line.worker()
                await asyncio.sleep(8)  # joined, partitions shared out, work goes on
                await until(lambda: all(steps[-1][1] > time.perf_counter() - 2 for steps in watch.progress.values()), "calm")
                taken.append(await kill(line, watch, victim))
                victim = survivor
        finally:
            flowing.cancel()
            with suppress(asyncio.CancelledError):
                await flowing
    return taken


async def kill(line: Pipeline, watch: Watch, victim: subprocess.Popen[bytes]) -> float:
    """Kills, and waits until every partition has moved past everything that was in the log at that moment."""
    victim.kill()
    killed, due = time.perf_counter(), watch.sequence + 1
    victim.wait()
    await until(lambda: all(watch.passed(key, due) is not None for key in line.shares()), "every partition taken over")
    return max(watch.passed(key, due) or 0.0 for key in line.shares()) - killed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, pipeline(Path(scratch), "intent", "memory", "lattice") as line:
        taken = asyncio.run(measure(line, args.kills))
    timeout = line.settings.kafka.session_timeout_ms / 1000
    print(f"\ntake-over after kill -9, {len(taken)} kills; the broker gives a silent worker {timeout:.0f} s")
    print(f"  p50 {quantile(taken, 0.5):.2f} s, worst {max(taken):.2f} s; goal {GOAL:.0f} s: {max(taken) / GOAL:.2f} of it")


if __name__ == "__main__":
    main()
