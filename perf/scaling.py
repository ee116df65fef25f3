"""How well several workers share one stream agent: events per second of wall time and per CPU second, beside one worker.

    .venv/bin/python -m perf.scaling [--workers 1,2,4] [--rows 200000] [--partitions 8]

The stream agent copies a ~480-byte Avro record, exactly once, over a marked log (see ``perf.eos``). All workers hold their
partitions before there is anything to read: the whole log is one transaction, so that it is visible to all of them at one
moment, from which the clock runs to the last block committed. What came out is counted by a read_committed reader.
Efficiency: events per second, against as many times those of one worker. Broker and workers share this machine's cores, so it
cannot be high with more busy processes than cores; the CPU column says what each event cost, wherever it ran.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from infra.topics import apply
from perf.eos import demand, events, kafka
from perf.jobs.worker import COPIES, EVENTS, SEED
from perf.marked import chain, committed, create, local_broker, steps_of, write
from perf.measure import ROOT
from schemas.codec import codec
from streams.settings import Settings
from streams.signing import Signer

PATIENCE = 600.0
COLUMNS = {
    "workers": 8, "events": 10, "wall s": 9, "events/s": 11, "ratio": 8, "efficiency": 12, "events/cpu s": 14,
    "broker cpu s": 14,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Run:
    """One number of workers. ``broker``: CPU seconds of the broker meanwhile."""

    workers: int
    rows: int
    wall: float
    cpu: float
    broker: float


class Group:
    """The workers of one run, and what they say."""

    def __init__(self, settings: Settings, workers: int, state: Path) -> None:
        self._said: queue.Queue[tuple[int, dict[str, Any]]] = queue.Queue()
        self.last: dict[int, dict[str, Any]] = {number: {"held": 0.0, "blocks": 0.0, "cpu": 0.0} for number in range(workers)}
        self._processes = [self._start(settings, number, state / str(number)) for number in range(workers)]

    def _start(self, settings: Settings, number: int, state: Path) -> subprocess.Popen[str]:
        own = settings.model_copy(update={"state_dir": state}).model_dump_json()
        argv = [sys.executable, "-m", "perf.jobs.share", "copy", own]
        process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._listen, args=(number, process), daemon=True).start()
        return process

    def _listen(self, number: int, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self._said.put((number, json.loads(line)))

    def until(self, what: str, total: float, *, each: bool = False) -> None:
        """Waits until the sum of ``what`` is ``total``; ``each``: and every worker has some."""
        deadline = time.monotonic() + PATIENCE
        while sum(last[what] for last in self.last.values()) != total or (
            each and not all(x[what] for x in self.last.values())
        ):
            if any(process.poll() is not None for process in self._processes) or time.monotonic() > deadline:
                raise SystemExit(f"the workers came to {self.last}, {total:g} {what} were due")
            try:
                number, said = self._said.get(timeout=1)
            except queue.Empty:
                continue
            self.last[number] |= said

    def stop(self) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes:
            process.wait(30)


@contextmanager
def workers_of(settings: Settings, workers: int, state: Path) -> Iterator[Group]:
    group = Group(settings, workers, state)
    try:
        yield group
    finally:
        group.stop()


def run(bootstrap: str, broker: psutil.Process, workers: int, blocks: int, per_block: int, partitions: int) -> Run:
    prefix, rows = f"scaling{workers}.", blocks * per_block * partitions
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(state_dir=Path(scratch), kafka=kafka(bootstrap, prefix, partitions))
        asyncio.run(apply(settings.kafka))
        asyncio.run(create(bootstrap, partitions, prefix + EVENTS, prefix + COPIES))
        steps = chain(EVENTS, Signer(SEED), partitions, blocks, events(per_block))  # type: ignore[arg-type]
        with workers_of(settings, workers, Path(scratch)) as group:
            group.until("held", partitions, each=True)
            asyncio.run(write(bootstrap, prefix + EVENTS, steps, transaction=f"scaling-{workers}"))
            began, used = time.time(), sum(broker.cpu_times()[:2])
            group.until("blocks", blocks * partitions)
            used = sum(broker.cpu_times()[:2]) - used
            wall = max(last["at"] for last in group.last.values()) - began
            cpu = sum(last["cpu"] for last in group.last.values())
    found = list(asyncio.run(committed(bootstrap, prefix + COPIES)))
    markers = sum(key is None for key, _ in found)
    distinct = {codec().decode(value)[1]["transaction"] for key, value in found if key is not None and value is not None}
    demand(f"{workers} workers", (len(found) - markers, len(distinct), markers), (rows, rows, steps_of(blocks) * partitions))
    return Run(workers, rows, wall, cpu, used)


def show(runs: list[Run], cores: int) -> None:
    one = runs[0]
    print(f"\none stream agent, exactly once; {cores} cores for workers and broker together")
    print("  " + "".join(f"{name:>{width}}" for name, width in COLUMNS.items()))
    for each in runs:
        rate = each.rows / each.wall
        ratio = rate / (one.rows / one.wall)
        efficiency = ratio / each.workers * one.workers
        row = f"  {each.workers:>8}{each.rows:>10,}{each.wall:>9.2f}{rate:>11,.0f}{ratio:>8.2f}{efficiency:>12.2f}"
        print(f"{row}{each.rows / each.cpu:>14,.0f}{each.broker:>14.2f}")
    crowded = [str(each.workers) for each in runs if each.workers >= cores]
    if crowded:
        print(f"  With {', '.join(crowded)} workers and the broker there are more busy processes than cores.")
    sys.stdout.flush()


def numbers(text: str) -> list[int]:
    found = sorted({int(part) for part in text.split(",")})
    if not found or found[0] < 1:
        raise argparse.ArgumentTypeError("numbers of workers, such as 1,2,4")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=numbers, default=[1, 2, 4])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--per-block", type=int, default=50, help="records of a block in one partition")
    parser.add_argument("--partitions", type=int, default=8)
    args = parser.parse_args()
    blocks = max(1, args.rows // (args.per_block * args.partitions))
    if args.workers[-1] > args.partitions:
        parser.error(f"{args.workers[-1]} workers for {args.partitions} partitions: the others would have nothing to do")
    with tempfile.TemporaryDirectory() as scratch, local_broker(Path(scratch)) as broker:
        process = psutil.Process(broker.pid)
        runs = [run(broker.bootstrap, process, n, blocks, args.per_block, args.partitions) for n in args.workers]
    show(runs, len(os.sched_getaffinity(0)))


if __name__ == "__main__":
    main()
