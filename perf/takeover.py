"""Seconds from kill -9 of a worker to the next committed progress of every partition, by the worker that is left.

    .venv/bin/python -m perf.takeover [--kills 5] [--rows 20000] [--separate-state] [--standby] [--session-ms 2000]

Two workers run intent, memory and lattice; blocks keep flowing. One is killed; when the other has taken over, a new one takes
its place, and once that is ready, the older one is killed. A partition counts as taken over when a checkpoint is committed that
settles a block which was not settled there when the worker was killed. The survivor's own partitions count too, since a
rebalance stops them for a while.

With --separate-state each worker has a folder of its own, empty when it starts, as on another machine. ``rows``: transactions
in the log before the first kill. The parts are read from the survivor's log: silence noticed (the group is shared out anew),
partitions assigned, all of them opened, and the first commits everywhere.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import lmdb

from infra.broker.ports import free_port
from perf.node import fill
from perf.pipeline import Pipeline, Watch, mine, pipeline, until, watching
from streams.ranks import quantile

GOAL = 10.0
GOAL_STANDBY = 3.0
BLOCK_SECONDS = 0.25
PRELOAD_BLOCK = 60
READY_SECONDS = 300.0
STANDBY_LAG = 500
MARKS = ("shared out anew", "holds partitions", "runs from")


@dataclass(frozen=True, slots=True)
class Machine:
    """One worker, its folder, its metrics and its log."""

    process: subprocess.Popen[bytes]
    state: Path
    port: int
    log: Path

    def metrics(self) -> dict[str, float]:
        """Values by name and labels, as /metrics gives them; none while it starts."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return {}
        pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and line[0] != "#")
        return {name: float(value) for name, value in pairs}

    def sum(self, name: str) -> float:
        """Sum over labels."""
        return sum(value for key, value in self.metrics().items() if key.split("{")[0] == name)

    def marks(self, since: float) -> Iterator[float]:
        """When it last did each of ``MARKS`` after ``since`` (unix time)."""
        lines = self.log.read_text(errors="replace").splitlines()
        for mark in MARKS:
            times = [stamp for line in lines if mark in line and (stamp := _stamp(line)) is not None and stamp >= since]
            yield max(times, default=since)


def _stamp(line: str) -> float | None:
    found = re.match(r"(\S+ \S+),(\d{3}) ", line)
    return datetime.fromisoformat(f"{found[1]}.{found[2]}").timestamp() if found else None


@dataclass(slots=True)
class Setting:
    """The pipeline, and how its workers are started."""

    line: Pipeline
    standby: bool
    separate: bool
    started: list[Machine] = field(default_factory=list)

    def start(self) -> Machine:
        """One more worker."""
        port, number = free_port(), len(self.started)
        state = self.line.settings.state_dir / f"machine-{number}" if self.separate else self.line.settings.state_dir
        options = ["--metrics-port", str(port), *(["--standby"] if self.standby else [])]
        process = self.line.worker(*options, state=state)
        log = self.line.settings.state_dir / f"worker-{len(self.line.processes) - 1}.log"
        self.started.append(Machine(process, state, port, log))
        return self.started[-1]

    async def ready(self, *machines: Machine) -> None:
        """Waits until the machines run all partitions together, and each follows what it does not run."""
        every = len(self.line.shares())
        stateful = every - self.line.settings.kafka.partitions  # intent keeps no state
        deadline = time.perf_counter() + READY_SECONDS
        while True:
            found = await asyncio.to_thread(lambda: [machine.metrics() for machine in machines])
            if self._all_ready(found, every, stateful):
                return
            if time.perf_counter() > deadline:
                raise SystemExit(f"workers not ready within {READY_SECONDS:.0f} s")
            await asyncio.sleep(0.3)

    def _all_ready(self, found: list[dict[str, float]], every: int, stateful: int) -> bool:
        running = [[value for key, value in one.items() if key.startswith("monmouth_runtime_partitions{")] for one in found]
        if sum(map(sum, running)) != every or not all(map(any, running)):
            return False
        if not self.standby or not self.separate or len(found) == 1:
            return True
        lags = [value for one in found for key, value in one.items() if key.startswith("monmouth_runtime_standby_lag{")]
        return len(lags) == stateful * (len(found) - 1) and max(lags) <= STANDBY_LAG


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Seconds of one: all of it, and until each of its parts was done."""

    total: float
    parts: tuple[float, ...]
    rebuilds: float


async def measure(setting: Setting, kills: int, rows: int) -> list[TakeOver]:
    """Kills, and what each took."""
    line = setting.line
    await asyncio.to_thread(fill, line.node, rows // PRELOAD_BLOCK, PRELOAD_BLOCK)
    line.producer()
    taken: list[TakeOver] = []

    async def flow() -> None:
        while True:
            await asyncio.to_thread(mine, line.node, 1, 10)
            await asyncio.sleep(BLOCK_SECONDS)

    async with watching(line.settings) as watch:
        victim = setting.start()
        await until(lambda: settled(watch, line, rows // PRELOAD_BLOCK), "all that was there before", READY_SECONDS)
        flowing = asyncio.create_task(flow())
        try:
            for number in range(kills):
                survivor = setting.start()
                await setting.ready(victim, survivor)
                await asyncio.sleep(3)  # work goes on
                due = watch.sequence
                await until(lambda due=due: settled(watch, line, due), "calm")  # type: ignore[misc]
                taken.append(await kill(line, watch, victim, survivor))
                print(f"kill {number + 1}: {taken[-1].total:.2f} s {[round(part, 2) for part in taken[-1].parts]}", flush=True)
                victim = survivor
        finally:
            flowing.cancel()
            with suppress(asyncio.CancelledError):
                await flowing
    print(
        f"\n{held(setting.started[-1].state):,} rows of local state in the last survivor's folder; {rows:,} transactions first"
    )
    return taken


def settled(watch: Watch, line: Pipeline, sequence: int) -> bool:
    """Whether every partition of every stream agent is past ``sequence``."""
    return all(watch.passed(key, sequence) is not None for key in line.shares())


async def kill(line: Pipeline, watch: Watch, victim: Machine, survivor: Machine) -> TakeOver:
    """Kills, and waits until every partition has moved past everything that was in the log at that moment."""
    before = survivor.sum("monmouth_runtime_rebuilds_total")
    victim.process.kill()
    killed, wall, due = time.perf_counter(), time.time(), watch.sequence + 1
    victim.process.wait()
    await until(lambda: settled(watch, line, due), "every partition taken over")
    total = max(watch.passed(key, due) or 0.0 for key in line.shares()) - killed
    rebuilds = survivor.sum("monmouth_runtime_rebuilds_total") - before
    return TakeOver(total, tuple(at - wall for at in survivor.marks(wall)), rebuilds)


def held(state: Path) -> int:
    """Rows of local state of all partitions in a folder."""
    rows = 0
    for folder in sorted((state / "local").glob("*/*")):
        with lmdb.open(str(folder), max_dbs=2, readonly=True) as environment, environment.begin() as txn:
            rows += txn.stat(environment.open_db(b"data", txn=txn, create=False))["entries"]
    return rows


def report(taken: list[TakeOver], session: float, goal: float) -> None:
    """Prints the figures."""
    totals = [take.total for take in taken]
    print(f"take-over after kill -9, {len(taken)} kills; the broker gives a silent worker {session:.1f} s")
    p50, p99 = quantile(totals, 0.5), quantile(totals, 0.99)
    print(f"  p50 {p50:.2f} s, p99 {p99:.2f} s (of {len(taken)}: the worst); goal {goal:.0f} s: {p99 / goal:.2f} of it")
    print(f"  {'':34}{'p50 s':>8}{'worst s':>9}")
    names = ("silence noticed, work put down", "partitions assigned", "all opened", "committed everywhere")
    ends = [(*take.parts, take.total) for take in taken]
    for index, name in enumerate(names):
        spans = [end[index] - (end[index - 1] if index else 0.0) for end in ends]
        print(f"  {name:34}{quantile(spans, 0.5):>8.2f}{max(spans):>9.2f}")
    print(f"  partitions built from the beginning meanwhile: {sum(take.rebuilds for take in taken):.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--rows", type=int, default=5_000, help="transactions in the log before the first kill")
    parser.add_argument("--separate-state", action="store_true", help="each worker on a folder of its own, empty at first")
    parser.add_argument("--standby", action="store_true", help="workers keep standbys")
    parser.add_argument("--session-ms", type=int, help="kafka.session_timeout_ms (default: the product's)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, pipeline(Path(scratch), "intent", "memory", "lattice") as line:
        if args.session_ms:
            line.settings.kafka.session_timeout_ms = args.session_ms
            line.settings.kafka.heartbeat_interval_ms = min(500, args.session_ms // 8)
        setting = Setting(line, args.standby, args.separate_state)
        taken = asyncio.run(measure(setting, args.kills, args.rows))
        stalls = [machine.metrics() for machine in setting.started if machine.process.poll() is None]
        report(taken, line.settings.kafka.session_timeout_ms / 1000, GOAL_STANDBY if args.standby else GOAL)
        for found in stalls:
            counts = {key: value for key, value in found.items() if key.startswith("monmouth_runtime_stall_seconds_bucket")}
            print(
                "  late turns of the event loop:",
                ", ".join(f"{key.split('le=')[1][:-1]}: {n:.0f}" for key, n in counts.items()),
            )


if __name__ == "__main__":
    main()
