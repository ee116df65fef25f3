"""Milliseconds from a metric that moves in one process to a webhook that is told, with many rules and series.

    .venv/bin/python -m perf.alerting [--events 100] [--rules 500] [--series 5000] [--interval 0.5] [--from-log]

Three processes, as in operation: one serves /metrics as all of ours do, with that many series; `monmouth alerts watch` reads
it and holds the rules against it, the default ones and one for each of the first; this one moves a series up and, once it
was told, down again, and takes the webhook's calls. The machine's clock is read when the metric has moved and when the call is
there. It ends with 1 unless every event is told once as firing and once as resolved, and 99 of 100 within the goal of a second.
Beside it the time between two looks, which is the least that the worst case of asking for pages can be.

With --from-log the process reports to ops.metrics of a local broker, each interval, as ours do, and `monmouth alerts watch
--from-log` reads it there: at most 3,000 series, since a report holds no more than 4,000 samples. Rows then also say how long
it took from the report that held the new value to the webhook.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiokafka import AIOKafkaConsumer
from prometheus_client import Gauge

from infra.broker import LocalBroker
from infra.broker.ports import free_port
from infra.topics import apply
from perf.measure import ROOT
from streams.metrics import REGISTRY
from streams.ops.alerts.defaults import DEFAULTS
from streams.ops.reporter import Reporter
from streams.ops.reports import MetricReport
from streams.probe_server import serve_probes
from streams.ranks import quantile
from streams.settings import KafkaSettings, load_settings
from streams.topics import OPS_METRICS, physical

GOAL = 1.0
PATIENCE = 30.0
SPACING = 0.2
"""Seconds between the starts of two events, on average."""


def serve(series: int, *, report: bool) -> None:
    """The measured process: prints its port, then moves what each line of its input says and prints when it has moved."""
    level = Gauge("monmouth_bench_level", "A level.", ["n"], registry=REGISTRY)
    gauges = [level.labels(str(n)) for n in range(series)]
    server = serve_probes("127.0.0.1", 0)
    if report:
        settings = load_settings()
        reporter = Reporter(settings, settings.kafka, "bench", "one", list)
        threading.Thread(target=lambda: asyncio.run(reporter.run()), daemon=True).start()
    print(server.port, flush=True)
    for line in sys.stdin:
        n, value = line.split()
        gauges[int(n)].set(float(value))
        print(n, time.time(), flush=True)
    server.stop()


class Reports:
    """When the first report held that a series had moved: (number, state) to seconds."""

    def __init__(self) -> None:
        self.held: dict[tuple[int, str], float] = {}

    async def read(self, kafka: KafkaSettings) -> None:
        topic = physical(kafka.prefix, OPS_METRICS)
        async with AIOKafkaConsumer(topic, bootstrap_servers=kafka.bootstrap) as consumer:
            async for record in consumer:
                report = MetricReport.from_value(record.value)
                for sample in report.samples:
                    if sample.name == "monmouth_bench_level":
                        self._take(int(sample.labels["n"]), sample.value, report.at_ms / 1000)

    def _take(self, n: int, value: float, at: float) -> None:
        if value:
            self.held.setdefault((n, "firing"), at)
        elif (n, "firing") in self.held:
            self.held.setdefault((n, "resolved"), at)


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
async def running(*argv: str, **pipes: Any) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", *argv, cwd=ROOT, limit=1 << 20, **pipes)
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
    everywhere = "".join(line for line in DEFAULTS.splitlines(keepends=True) if not line.startswith("channels"))
    return everywhere + own


@dataclass(slots=True)
class Found:
    """Seconds by state: from the move, and from the report that held it, if there are reports."""

    moved: dict[str, list[float]] = field(default_factory=lambda: {"firing": [], "resolved": []})
    reported: dict[str, list[float]] = field(default_factory=lambda: {"firing": [], "resolved": []})


async def measure(args: argparse.Namespace, scratch: Path, kafka: KafkaSettings | None = None) -> tuple[Found, Receiver]:
    """``kafka``: where the process reports to, with --from-log."""
    receiver, drawn, found, reports = Receiver(), random.Random(1), Found(), Reports()
    serve_words = ["perf.alerting", f"--serve={args.series}", *(["--from-log"] if kafka else [])]
    environment = {
        **os.environ,
        "MONMOUTH_STATE_DIR": str(scratch / "state"),
        "MONMOUTH_OPS__INTERVAL_SECONDS": str(args.interval),
    }
    if kafka is not None:
        environment |= {"MONMOUTH_KAFKA__BOOTSTRAP": kafka.bootstrap, "MONMOUTH_KAFKA__PREFIX": kafka.prefix}
    async with (
        receiving(receiver) as hook,
        running(*serve_words, stdin=PIPE, stdout=PIPE, env=environment) as serving,
        asyncio.TaskGroup() as background,
    ):
        assert serving.stdout is not None
        port = int(await serving.stdout.readline())
        measured = Measured(serving)
        readers = [background.create_task(measured.read())]
        if kafka is not None:
            readers.append(background.create_task(reports.read(kafka)))
        (scratch / "rules.toml").write_text(rules_text(args.rules))
        (scratch / "channels.toml").write_text(f'[hook]\ntype = "webhook"\nurl = "{hook}"\n')
        words = ["--rules", str(scratch / "rules.toml"), "--channels", str(scratch / "channels.toml")]
        words += ["--from-log"] if kafka else ["--target", f"http://127.0.0.1:{port}/metrics", "--interval", str(args.interval)]
        async with running("streams.cli", "alerts", "watch", *words, stdout=DEVNULL, env=environment):
            await _event(measured, receiver, 0, Found())  # the watch is up once it told of one
            async with asyncio.TaskGroup() as group:
                for n in range(1, args.events + 1):
                    group.create_task(_event(measured, receiver, n, found))
                    await asyncio.sleep(drawn.uniform(0, 2 * SPACING))
        for reader in readers:
            reader.cancel()
    for (n, state), at in reports.held.items():
        if n:
            found.reported[state].append(receiver.calls[f"Bench{n}", state][0] - at)
    return found, receiver


async def _event(measured: Measured, receiver: Receiver, n: int, found: Found) -> None:
    for value, state in ((1.0, "firing"), (0.0, "resolved")):
        moved = await measured.move(str(n), value)
        found.moved[state].append(await receiver.told(f"Bench{n}", state) - moved)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--rules", type=int, default=500)
    parser.add_argument("--series", type=int, help="5000; with --from-log 3000")
    parser.add_argument("--interval", type=float, default=0.5)
    parser.add_argument("--from-log", action="store_true")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve is not None:
        serve(args.serve, report=args.from_log)
        return
    args.series = args.series or (3_000 if args.from_log else 5_000)
    if not args.events < args.rules <= args.series:
        raise SystemExit("events < rules <= series: each event has a rule of its own, and each rule a series")
    with tempfile.TemporaryDirectory() as scratch:
        found, receiver = from_log(args, Path(scratch)) if args.from_log else asyncio.run(measure(args, Path(scratch)))
    report(args, found, receiver)


def from_log(args: argparse.Namespace, scratch: Path) -> tuple[Found, Receiver]:
    broker = LocalBroker(scratch / "broker", port=free_port(), jars=ROOT / ".monmouth" / "jars", record_startup=False)
    broker.start()
    try:
        kafka = KafkaSettings(bootstrap=broker.bootstrap, prefix="bench.", partitions=2)
        asyncio.run(apply(kafka))
        return asyncio.run(measure(args, scratch, kafka))
    finally:
        broker.stop()


def report(args: argparse.Namespace, found: Found, receiver: Receiver) -> None:
    print(f"\nfrom a metric that moved to a webhook that was told; {args.rules} rules, {args.series} series")
    print(f"  {'':24}{'events':>8}{'p50 ms':>10}{'p99 ms':>10}{'worst ms':>10}{'p99 / looks':>14}{'p99 / goal':>12}")
    for since, rows in (("its move", found.moved), ("the report of it", found.reported)):
        for state, seconds in rows.items():
            if seconds:
                _row(f"{state}, since {since}", seconds, args.interval)
    print(f"  looks every {1000 * args.interval:.0f} ms; goal {1000 * GOAL:.0f} ms")
    often = {name: len(times) for name, times in receiver.calls.items() if len(times) != 1}
    if often or len(receiver.calls) != 2 * (args.events + 1):
        raise SystemExit(f"not told once each: {json.dumps([[*name, count] for name, count in often.items()])}")
    slow = {state: quantile(seconds, 0.99) for state, seconds in found.moved.items() if quantile(seconds, 0.99) > GOAL}
    if slow:
        said = ", ".join(f"{state} {1000 * seconds:.0f} ms" for state, seconds in slow.items())
        raise SystemExit(f"the goal of {1000 * GOAL:.0f} ms from its move is missed by 99 of 100: {said}")


def _row(name: str, seconds: list[float], interval: float) -> None:
    p50, p99 = quantile(seconds, 0.5), quantile(seconds, 0.99)
    row = f"  {name:24}{len(seconds):>8}{1000 * p50:>10.0f}{1000 * p99:>10.0f}{1000 * max(seconds):>10.0f}"
    print(f"{row}{p99 / interval:>14.2f}{p99 / GOAL:>12.2f}")


if __name__ == "__main__":
    main()
