"""Milliseconds from a metric that moves in one process to a webhook that is told, with many rules and series.

    .venv/bin/python -m perf.alerting [--events 100] [--rules 500] [--series 5000] [--interval 0.5]

Three processes, as in operation: one serves /metrics as all of ours do, with that many series; `monmouth alerts watch` reads
it and holds the rules against it, the default ones and one for each of the first; this one moves a series up and, once it
was told, down again, and takes the webhook's calls. The machine's clock is read when the metric has moved and when the call is
there. Every event is to be told once as firing and once as resolved; else it ends with an error. Beside it the time between two
looks, which is the least that the worst case of asking for pages can be.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from prometheus_client import Gauge

from perf.measure import ROOT
from perf.pipeline import quantile
from streams.metrics import REGISTRY
from streams.ops.alerts.rules import DEFAULTS
from streams.probe_server import serve_probes

GOAL = 1.0
PATIENCE = 30.0
SPACING = 0.2
"""Seconds between the starts of two events, on average."""


def serve(series: int) -> None:
    """The measured process: prints its port, then moves what each line of its input says and prints when it has moved."""
    level = Gauge("monmouth_bench_level", "A level.", ["n"], registry=REGISTRY)
    gauges = [level.labels(str(n)) for n in range(series)]
    server = serve_probes("127.0.0.1", 0)
    print(server.port, flush=True)
    for line in sys.stdin:
        n, value = line.split()
        gauges[int(n)].set(float(value))
        print(n, time.time(), flush=True)
    server.stop()


@dataclass(slots=True)
class Receiver:
    """Calls of the webhook: (rule, state) with the times of each."""

    calls: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, request: web.Request) -> web.Response:
        at = time.time()
        said = await request.json()
        async with self.came:
            self.calls.setdefault((said["name"], said["state"]), []).append(at)
            self.came.notify_all()
        return web.Response()

    async def told(self, rule: str, state: str) -> float:
        async with asyncio.timeout(PATIENCE), self.came:
            await self.came.wait_for(lambda: (rule, state) in self.calls)
        return self.calls[rule, state][0]


@dataclass(slots=True)
class Measured:
    """The process whose metrics move."""

    process: Process
    moved: dict[str, list[asyncio.Future[float]]] = field(default_factory=dict)

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            n, at = line.decode().split()
            self.moved[n].pop(0).set_result(float(at))

    async def move(self, n: str, value: float) -> float:
        assert self.process.stdin is not None
        done: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.moved.setdefault(n, []).append(done)
        self.process.stdin.write(f"{n} {value}\n".encode())
        return await done


@asynccontextmanager
async def receiving(receiver: Receiver) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/", receiver.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def running(*argv: str, **pipes: int) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", *argv, cwd=ROOT, **pipes)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


def rules_text(rules: int) -> str:
    """The default rules, and one for each of the first series."""
    own = "".join(
        f'[[rule]]\nname = "Bench{n}"\ncondition = "bench_level{{n=\\"{n}\\"}} > 0.5"\nchannels = ["hook"]\ncooldown = "0s"\n'
        for n in range(rules)
    )
    return DEFAULTS + own


async def measure(args: argparse.Namespace, scratch: Path) -> tuple[dict[str, list[float]], Receiver]:
    """Seconds by state."""
    receiver, drawn = Receiver(), random.Random(1)
    found: dict[str, list[float]] = {"firing": [], "resolved": []}
    async with (
        receiving(receiver) as hook,
        running("perf.alerting", f"--serve={args.series}", stdin=PIPE, stdout=PIPE) as serving,
    ):
        assert serving.stdout is not None
        port = int(await serving.stdout.readline())
        measured = Measured(serving)
        reading = asyncio.create_task(measured.read())
        (scratch / "rules.toml").write_text(rules_text(args.rules))
        (scratch / "channels.toml").write_text(f'[hook]\ntype = "webhook"\nurl = "{hook}"\n')
        words = ["--rules", str(scratch / "rules.toml"), "--channels", str(scratch / "channels.toml")]
        words += ["--target", f"http://127.0.0.1:{port}/metrics", "--interval", str(args.interval)]
        async with running("streams.cli", "alerts", "watch", *words, stdout=DEVNULL):
            await _event(measured, receiver, 0, found)  # the watch is up once it told of one
            for state in ("firing", "resolved"):
                found[state].clear()
            async with asyncio.TaskGroup() as group:
                for n in range(1, args.events + 1):
                    group.create_task(_event(measured, receiver, n, found))
                    await asyncio.sleep(drawn.uniform(0, 2 * SPACING))
        reading.cancel()
    return found, receiver


async def _event(measured: Measured, receiver: Receiver, n: int, found: dict[str, list[float]]) -> None:
    for value, state in ((1.0, "firing"), (0.0, "resolved")):
        moved = await measured.move(str(n), value)
        found[state].append(await receiver.told(f"Bench{n}", state) - moved)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--rules", type=int, default=500)
    parser.add_argument("--series", type=int, default=5_000)
    parser.add_argument("--interval", type=float, default=0.5)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve is not None:
        serve(args.serve)
        return
    if not args.events < args.rules <= args.series:
        raise SystemExit("events < rules <= series: each event has a rule of its own, and each rule a series")
    with tempfile.TemporaryDirectory() as scratch:
        found, receiver = asyncio.run(measure(args, Path(scratch)))
    report(args, found, receiver)


def report(args: argparse.Namespace, found: dict[str, list[float]], receiver: Receiver) -> None:
    print(f"\nfrom a metric that moved to a webhook that was told; {args.rules} rules, {args.series} series")
    print(f"  {'':10}{'events':>8}{'p50 ms':>10}{'p99 ms':>10}{'worst ms':>10}{'p99 / looks':>14}{'p99 / goal':>12}")
    for state, seconds in found.items():
        p50, p99 = quantile(seconds, 0.5), quantile(seconds, 0.99)
        row = f"  {state:10}{len(seconds):>8}{1000 * p50:>10.0f}{1000 * p99:>10.0f}{1000 * max(seconds):>10.0f}"
        print(f"{row}{p99 / args.interval:>14.2f}{p99 / GOAL:>12.2f}")
    print(f"  looks every {1000 * args.interval:.0f} ms; goal {1000 * GOAL:.0f} ms")
    often = {name: len(times) for name, times in receiver.calls.items() if len(times) != 1}
    if often or len(receiver.calls) != 2 * (args.events + 1):
        raise SystemExit(f"not told once each: {json.dumps([[*name, count] for name, count in often.items()])}")


if __name__ == "__main__":
    main()
