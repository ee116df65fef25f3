"""Seconds from a reorg in the log to all stream agents past it: depth 32, the real pipeline without embedding.

    .venv/bin/python -m perf.reorg [--reorgs 20] [--depth 32] [--transactions 20]

anvil replaces its newest blocks; the producer finds out by itself. Measured from the UNDO visible in chain.blocks to the
last checkpoint behind it, over intent, memory and lattice agents and all partitions, in one worker process.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from perf.node import call
from perf.pipeline import Pipeline, mine, pipeline, until, watching
from streams.ranks import quantile

GOAL = 5.0


async def measure(line: Pipeline, reorgs: int, depth: int, transactions: int) -> list[float]:
    """Heal times in seconds."""
    line.producer()
    line.worker()
    healed: list[float] = []
    mine(line.node, depth + 8, transactions)
    async with watching(line.settings) as watch:

        def settled(sequence: int) -> bool:
            return all(watch.passed(key, sequence) is not None for key in line.shares())

        await until(lambda: watch.sequence >= depth + 8 and settled(watch.sequence), "first blocks through")
        for number in range(reorgs):
            await asyncio.to_thread(call, line.node, ("anvil_reorg", [depth, []]))
            await until(lambda: len(watch.undos) > number, "the undo in the log")  # noqa: B023
            sequence, found, seen = watch.undos[number]
            if found != depth:
                raise SystemExit(f"reorg {number} undid {found} blocks, {depth} were asked for")
            await until(lambda: settled(sequence), "all past the undo")  # noqa: B023
            healed.append(max(watch.passed(key, sequence) or 0.0 for key in line.shares()) - seen)
            await asyncio.to_thread(mine, line.node, depth, transactions)
            await until(lambda: settled(watch.sequence), "new blocks through")
    return healed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reorgs", type=int, default=20)
    parser.add_argument("--depth", type=int, default=32)
    parser.add_argument("--transactions", type=int, default=20, help="transactions of a block")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, pipeline(Path(scratch), "intent", "memory", "lattice") as line:
        healed = asyncio.run(measure(line, args.reorgs, args.depth, args.transactions))
    p50, p99 = quantile(healed, 0.5), quantile(healed, 0.99)
    print(f"\nreorg heal, depth {args.depth}, {args.transactions} transactions a block, {len(healed)} reorgs")
    print(f"  p50 {p50:.2f} s, p99 {p99:.2f} s, worst {max(healed):.2f} s; goal p99 {GOAL:.0f} s: {p99 / GOAL:.2f} of it")


if __name__ == "__main__":
    main()
