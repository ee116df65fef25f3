"""What the system says of itself: probes, metrics, alerts that fire and resolve."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from collections.abc import Sequence

from streams.cli.demo.course import Metrics, expect
from streams.cli.demo.scrape import scrape
from streams.cli.demo.system import PRODUCER, System
from streams.ops.alerts.expression import PREFIX
from streams.ops.alerts.life import Event
from streams.ops.alerts.rules import rules_of
from streams.ops.alerts.watch import Watch
from streams.serving.wire.dashboard import DashboardState

ALERT_SECONDS = 15.0
HEALTH_SECONDS = 30.0
PROCESSES = frozenset({"producer", "worker", "gateway"})
INTERVAL = 0.2
MEASURED = (
    "runtime_records_total",
    "runtime_blocks_total",
    "runtime_commits_total",
    "chain_head_block",
    "agents_active_total",
    "system_health_score",
    "components_healthy_total",
)
"""Metrics that a pipeline which has taken in blocks and answered questions has moved."""


OF_THE_MACHINE = {"resources", "disk"}
"""Components that a busy machine may make complain, whatever the pipeline does."""


async def health(system: System, least: int) -> Metrics:
    """Health of the deployment. Raises CheckError unless at least ``least`` components come to be well, and none is ill."""
    began = time.monotonic()
    async with system.async_client() as client:
        while True:
            found = await client.health()
            ill = [
                f"{name}: {part.status} {part.message}" for name, part in found.components.items() if part.status != "healthy"
            ]
            if not ill or time.monotonic() - began > HEALTH_SECONDS:
                break
            await system.tick()
        live, ready = await client.live(), await client.ready()
    expect(not ill, f"not healthy for {HEALTH_SECONDS:.0f} s: {'; '.join(ill)}")
    expect(len(found.components) >= least, f"{len(found.components)} components are known, not {least}")
    expect(live.ready and ready.ready, "the gateway is not live and ready")
    return {"components healthy": len(found.components), "score": found.score, "all well after s": time.monotonic() - began}


async def exports(system: System) -> Metrics:
    """What the dashboard shows, as files. Raises CheckError unless they say the same, and what is so."""
    async with system.async_client() as client:
        files = {name: (await client.export_dashboard(name)).decode() for name in ("json", "csv", "html")}
    shown = DashboardState.model_validate_json(files["json"])
    processes = {f"{one.component}/{one.instance}" for one in shown.components if one.status != "gone"}
    rows = list(csv.DictReader(io.StringIO(files["csv"])))
    said = {row["item"] for row in rows if row["section"] == "component" and row["field"] == "status"}
    kinds = {one.component for one in shown.components}
    expect(kinds >= PROCESSES, f"the dashboard lacks {', '.join(PROCESSES - kinds)}")
    expect(processes <= said, f"the CSV lacks {len(processes - said)} of {len(processes)} processes")
    missing = [name for name in processes if name.partition("/")[2] not in files["html"]]
    expect(not missing, f"the page lacks {len(missing)} of {len(processes)} processes")
    sizes = {f"{name} bytes": len(content) for name, content in files.items()}
    return {"processes shown": len(processes), "CSV rows": len(rows), **sizes}


async def metrics(system: System) -> Metrics:
    """Pages of all processes. Raises CheckError unless what must have moved has."""
    samples = await scrape(system)
    moved = {sample.name.removeprefix(PREFIX) for sample in samples if sample.value > 0}
    still = [name for name in MEASURED if name not in moved]
    expect(not still, f"metrics that have not moved: {', '.join(still)}")
    return {"processes measured": len(system.metrics), "series": len(samples), "names": len({s.name for s in samples})}


class _Told(list[Event]):
    """A channel that keeps what it is told."""

    async def send(self, event: Event) -> None:
        """Takes an event."""
        self.append(event)


def _rule(block: int) -> str:
    return f"""
[[rule]]
name = "ChainBeyond"
description = "The head is beyond the block that was waited for."
condition = "chain_head_block > {block}"
severity = "info"
cooldown = "1s"

[[rule]]
name = "ProcessDown"
condition = "target_up < 1"
severity = "critical"
cooldown = "1s"
"""


async def alerts(system: System) -> Metrics:
    """A rule over real metrics: it must be silent, then fire when the chain grows; one about a lost process fires and resolves.

    Raises CheckError.
    """
    rules = rules_of(_rule(system.chain.head.number), "the demo's rules")
    told = _Told()
    watch = Watch(rules, list(system.metrics.values()), {"log": told}, interval=INTERVAL)
    stop = asyncio.Event()
    watching = asyncio.create_task(watch.run(stop))
    try:
        await asyncio.sleep(3 * INTERVAL)
        expect(not told, f"an alert fired at rest: {told[0].summary if told else ''}")
        began = time.monotonic()
        system.advance()
        await _told(told, "ChainBeyond", "firing", watching)
        seconds = time.monotonic() - began
        await asyncio.to_thread(system.children.end, PRODUCER)
        await _told(told, "ProcessDown", "firing", watching)
        system.start_producer()
        await _told(told, "ProcessDown", "resolved", watching)
    finally:
        stop.set()
        await asyncio.wait([watching])
    await system.settle()
    fired = sum(event.state == "firing" for event in told)
    return {"alerts fired": fired, "resolved": len(told) - fired, "seconds from a block to the alert": seconds}


async def _told(told: Sequence[Event], name: str, state: str, watching: asyncio.Task[None]) -> None:
    deadline = time.monotonic() + ALERT_SECONDS
    while not any(event.rule.name == name and event.state == state for event in told):
        if watching.done():
            watching.result()
        expect(time.monotonic() < deadline, f"{name} is not {state} within {ALERT_SECONDS:.0f} s")
        await asyncio.sleep(0.05)
