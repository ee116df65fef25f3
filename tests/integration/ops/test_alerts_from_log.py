"""The watch by the log on a real broker: what fires is told once and kept in ops.alerts, over restarts of both."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from streams.errors import FencedError
from streams.ops.alerts.desk import AlertDesk
from streams.ops.alerts.errors import ChannelError, RefusedEventError
from streams.ops.alerts.life import Event
from streams.ops.alerts.logwatch import LogWatch
from streams.ops.alerts.rules import rules_of
from streams.ops.alerts.silences import FILE, Silence, write
from streams.ops.reports import ENDED, AlertRecord, MetricReport, MetricSample
from streams.settings import OpsSettings, Settings
from streams.topics import OPS_ALERTS, OPS_METRICS, physical
from tests.e2e.processes import run, running

pytestmark = [pytest.mark.kafka]
HIGH = '[[rule]]\nname = "High"\ncondition = "level > 5"\ncooldown = "0s"\nchannels = ["hook"]\n'
RULES = rules_of(
    HIGH
    + """
[[rule]]
name = "Grew"
condition = "increase(events_total[60s]) > 0"
channels = ["hook"]
[[rule]]
name = "Down"
condition = "target_up < 1"
channels = ["hook"]
mutes = ["*"]
""",
    "here",
)


class Hook:
    """A channel."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.broken = False
        self.slow = 0.0
        self.begun = 0
        self.refused = ""
        """Name of the rule whose events it never takes."""

    async def send(self, event: Event) -> None:
        if event.rule.name == self.refused:
            raise RefusedEventError("never")
        if self.broken:
            raise ChannelError("not now")
        self.begun += 1
        await asyncio.sleep(self.slow)
        self.events.append(event)

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(event.rule.name, event.state) for event in self.events]


class Process:
    """A process that reports five times a second."""

    def __init__(self, settings: Settings, name: str = "w") -> None:
        self._name = name
        self.level, self.events, self.silent = 0.0, 0.0, False
        self._kafka = settings.kafka

    async def run(self) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self._kafka.bootstrap, enable_idempotence=True) as producer:
            try:
                while True:
                    if not self.silent:
                        await self._report(producer)
                    await asyncio.sleep(0.2)
            finally:
                await self._report(producer, MetricSample(ENDED, "GAUGE", {}, 1))

    async def _report(self, producer: AIOKafkaProducer, *more: MetricSample) -> None:
        samples = (
            MetricSample("monmouth_level", "GAUGE", {}, self.level),
            MetricSample("monmouth_events_total", "COUNTER", {}, self.events),
        )
        report = MetricReport("worker", self._name, round(1000 * time.time()), (*samples, *more))
        await producer.send_and_wait(physical(self._kafka.prefix, OPS_METRICS), report.to_value(), key=report.key)


@asynccontextmanager
async def receiving(take: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@pytest.fixture
def settings(kafka_settings: Settings) -> Settings:
    return kafka_settings.model_copy(update={"ops": OpsSettings(interval_seconds=0.2)})


@pytest.fixture
async def process(settings: Settings) -> AsyncIterator[Process]:
    found = Process(settings)
    task = asyncio.create_task(found.run())
    yield found
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@asynccontextmanager
async def watching(settings: Settings, hook: Hook) -> AsyncIterator[LogWatch]:
    stop, watch = asyncio.Event(), LogWatch(RULES, {"hook": hook}, settings)
    task = asyncio.create_task(watch.run(stop))
    try:
        yield watch
    finally:
        stop.set()
        await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


async def alerts(settings: Settings) -> list[AlertRecord]:
    """All that is in ops.alerts."""
    kafka = settings.kafka
    topic = physical(kafka.prefix, OPS_ALERTS)
    found: list[AlertRecord] = []
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest", isolation_level="read_committed"
    ) as reader:
        while batches := await reader.getmany(timeout_ms=1_000):
            found += [AlertRecord.from_value(record.value) for records in batches.values() for record in records]
    return found


async def test_it_is_told_soon_and_kept_and_a_restart_neither_repeats_nor_forgets(settings: Settings, process: Process) -> None:
    hook = Hook()
    async with watching(settings, hook):
        await asyncio.sleep(2)
        assert hook.told == []
        hook.slow = 1.0
        process.level = 9.0
        await until(lambda: hook.begun == 1)
    (event,) = hook.events  # whose answer was under way at the end
    assert (event.value, dict(event.labels)) == (9.0, {"component": "worker", "instance": "w"})
    hook.slow = 0.0
    async with watching(settings, hook):
        await asyncio.sleep(2)
        assert hook.told == [("High", "firing")], "told again"
    process.level, process.events = 0.0, 1.0
    await asyncio.sleep(1)
    async with watching(settings, hook):
        await until(lambda: len(hook.told) == 3)
    assert sorted(hook.told[1:]) == [("Grew", "firing"), ("High", "resolved")], "what came while nobody watched"
    assert [(record.rule, record.state) for record in await alerts(settings)] == hook.told


async def test_what_a_receiver_did_not_take_is_told_by_the_next_watch(settings: Settings, process: Process) -> None:
    hook = Hook()
    hook.refused = "Grew"
    async with watching(settings, hook) as watch:
        written: list[Event] = []
        watch.told = written.append
        await asyncio.sleep(1)
        process.events = 1.0
        await until(lambda: len(written) == 1)
        hook.broken = True
        process.level = 9.0
        await until(lambda: len(written) == 2)
    hook.broken = False
    async with watching(settings, hook):  # what it never takes stands in front
        await until(lambda: hook.told == [("High", "firing")])
    late = Hook()
    async with watching(settings, late):
        await asyncio.sleep(2)
    assert late.told == [], "its channel was told"


async def test_the_newer_watch_ends_the_older(settings: Settings, process: Process) -> None:
    first, second = Hook(), Hook()
    older = asyncio.create_task(LogWatch(RULES, {"hook": first}, settings).run(asyncio.Event()))
    await asyncio.sleep(2)
    async with watching(settings, second) as watch:
        await asyncio.sleep(1)
        process.level = 9.0
        with pytest.raises(FencedError, match="another watch"):
            await asyncio.wait_for(older, 30)
        await until(lambda: len(first.told + second.told) > 0)
        await asyncio.sleep(1)
        assert first.told + second.told == [("High", "firing")]
        await AlertDesk(settings).resolve("High")
        await until(lambda: second.told[-1:] == [("High", "resolved")])
        written: list[Event] = []
        watch.told = written.append
        write(settings.path(FILE), [Silence("Grew", time.time() + 600)], time.time())
        process.level = 0.0
        await until(lambda: len(written) == 1)
        process.events = 1.0
        await until(lambda: len(written) == 2)
        assert (await alerts(settings))[-1].summary.startswith("[silenced] warning Grew")
        await asyncio.sleep(1)
        assert (first.told + second.told)[1:] == [("High", "resolved")], "once"


async def test_a_process_that_falls_silent_is_told_and_one_that_ends_is_not(settings: Settings, process: Process) -> None:
    hook = Hook()
    ending = asyncio.create_task(Process(settings, "ending").run())
    async with watching(settings, hook):
        await asyncio.sleep(1)
        ending.cancel()
        process.silent = True
        process.level = 9.0
        await until(lambda: hook.told == [("Down", "firing")])
        process.silent = False
        await until(lambda: hook.told[1:] == [("Down", "resolved"), ("High", "firing")])


async def test_a_watch_that_is_killed_forgets_no_event_and_the_list_shows_what_fires(
    settings: Settings, process: Process, tmp_path: Path
) -> None:
    """kill -9 of the whole process between an alert that begins and its end."""
    told: list[tuple[str, str, float]] = []

    async def take(request: web.Request) -> web.Response:
        said = await request.json()
        told.append((said["name"], said["state"], said["at"]))
        return web.Response()

    async with receiving(take) as url:
        (tmp_path / "rules.toml").write_text(HIGH)
        (tmp_path / "channels.toml").write_text(f'[hook]\ntype = "webhook"\nurl = "{url}"\n')
        words = ["--rules", str(tmp_path / "rules.toml"), "--channels", str(tmp_path / "channels.toml")]
        async with running(settings, "alerts", "watch", "--from-log", *words) as first:
            process.level = 9.0
            await until(lambda: len(told) == 1)
            first.kill()
        code, listed = await asyncio.to_thread(run, settings, "alerts", "list", "--json")
        assert code == 0, listed
        (firing,) = [json.loads(line) for line in listed.splitlines() if line.startswith("{")]
        assert (firing["rule"], firing["state"], firing["value"]) == ("High", "firing", 9.0)
        async with running(settings, "alerts", "watch", "--from-log", *words) as second:
            await asyncio.sleep(4)
            process.level = 0.0
            await until(lambda: len(set(told)) == 2)
            (tmp_path / "rules.toml").write_text(HIGH + HIGH.replace('"High"', '"Higher"'))
            process.level = 99.0
            await until(lambda: len(set(told)) == 4)
            second.kill()
    # one that was told in the moment of the kill is told again as what it was
    seen = [(name, state) for name, state, _ in dict.fromkeys(told)]
    assert seen[:2] == [("High", "firing"), ("High", "resolved")]
    assert sorted(seen[2:]) == [("High", "firing"), ("Higher", "firing")], "a rule that came into the file"
