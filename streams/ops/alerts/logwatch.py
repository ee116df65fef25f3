"""Watches by the log: reads ops.metrics, holds the rules against it, and writes what fires and what is over to ops.alerts.

Assumes that brokers stamp records, so that all times are of one clock. One watch at a time: the newest fences the others, by
its transactional id, before it reads what they wrote. Invariants: all that is told is in ops.alerts first, firing and
resolved; what a former watch wrote is recovered from there, and what the rules look at from ops.metrics, so that an alert is
neither begun twice nor forgotten by a restart. The channels are told by the ``teller``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from schemas.codec import SchemaError
from streams.cancellation import end
from streams.errors import FencedError
from streams.ops.alerts.channels import Channel
from streams.ops.alerts.judge import Judge
from streams.ops.alerts.levels import Levels
from streams.ops.alerts.life import Event
from streams.ops.alerts.metrics import decided
from streams.ops.alerts.metrics_log import THIN, MetricsLog, Timed
from streams.ops.alerts.processes import Processes
from streams.ops.alerts.records import by_hand, labels_of, record_of, silenced
from streams.ops.alerts.rules import AlertRule, longest_window
from streams.ops.alerts.series import Sample
from streams.ops.alerts.silences import FILE as SILENCES
from streams.ops.alerts.silences import Silences
from streams.ops.alerts.teller import GROUP, Former, Teller
from streams.ops.alerts.watch import REST, SHORTEST
from streams.ops.reports import AlertRecord, Window
from streams.ops.slo.history import SloHistory
from streams.ops.slo.objectives import objectives_in_use
from streams.outage import Outage
from streams.ports.log import KeyValue, LogClient, LogError, LogProducer, TopicPartition
from streams.runtime.kafka import KafkaClient
from streams.settings import OPS, Settings
from streams.topics import OPS_ALERTS, OPS_WINDOWS
from streams.wall import time_of_day

_log = logging.getLogger(__name__)
ALERTS = TopicPartition(OPS_ALERTS, 0)
WINDOWS = TopicPartition(OPS_WINDOWS, 0)
PAUSE = 1.0
MISSED = 3
"""Reports that may be missing before a process does not answer."""
MARGIN = 60.0
STEP = 1.0
"""Seconds between two looks at the past."""


class LogClock:
    """The brokers' clock: the time of the newest record, and what has passed since it was seen."""

    def __init__(self) -> None:
        self._newest = 0.0
        self._seen = time.monotonic()

    def saw(self, at: float) -> None:
        if not self._newest or at > self.now():
            self._newest, self._seen = at, time.monotonic()

    def now(self) -> float:
        """The time of day where no record was seen."""
        return self._newest + time.monotonic() - self._seen if self._newest else time_of_day()


class LogWatch:
    """``channels``: by the names that rules use. ``told`` is called for each event that is written.

    ``complaint``: why it does not watch now; empty if it does. ``before``: whose place it takes in the same process once that
    has ended, and whose alerts it goes on with.
    """

    def __init__(
        self,
        rules: Sequence[AlertRule],
        channels: Mapping[str, Channel],
        settings: Settings,
        before: LogWatch | None = None,
    ) -> None:
        self._before = before
        self._judge: Judge | None = None
        self._on = [rule for rule in rules if rule.enabled]
        self._rules = {rule.name: rule for rule in self._on}
        self._interval = settings.ops.interval_seconds
        self._kafka = settings.kafka.as_role(OPS)
        self._client = KafkaClient(self._kafka)
        self._objectives = objectives_in_use(settings)
        read = partial(read_alerts, self._client)
        self._tellers = [Teller(self._kafka, name, channel, self._rules, read) for name, channel in channels.items()]
        self._silences = Silences(settings.path(SILENCES))
        self._telling: list[asyncio.Task[None]] = []
        self._outage = Outage(_log, "watching the log")
        self.complaint = "it reads what was told before"
        self.told: Callable[[Event], None] = lambda _: None

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``. Raises FencedError once another watch has begun."""
        working = asyncio.create_task(self._work())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            ending = (teller.end(task) for teller, task in zip(self._tellers, self._telling, strict=False))
            await asyncio.gather(end(working, stopping), *ending, return_exceptions=True)
            await asyncio.gather(working, stopping, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            try:
                await self._session()
            except FencedError as error:
                raise FencedError(
                    "another watch of alerts has begun", "One watches at a time; the newer one goes on."
                ) from error
            except LogError as error:
                self.complaint = error.message
                self._outage.failed(error.line)
            await asyncio.sleep(PAUSE)

    async def _session(self) -> None:
        async with AsyncExitStack() as stack:
            producer = self._client.producer(GROUP, 0)
            stack.push_async_callback(producer.close)
            await producer.start()
            former = await read_alerts(self._client)
            if not self._telling:
                self._telling = [asyncio.create_task(teller.run(former)) for teller in self._tellers]
            back = longest_window(self._on) + max((rule.hold for rule in self._on), default=0.0) + MARGIN
            source = await stack.enter_async_context(MetricsLog(self._kafka, 2 * back))
            judge = Judge(self._on, self._interval, self._silences)
            look = _Look(judge, MISSED * self._interval + 1, self._former_judge())
            look.past(await source.past(), back)
            levels = Levels(SloHistory(self._client), self._objectives)
            await levels.read(look.now())
            stack.push_async_callback(levels.close)
            look.take(levels.fresh())
            await self._write(producer, *look.recover(former, self._rules))
            self._judge, self._before = judge, None
            self.complaint = ""
            self._outage.over()
            following = asyncio.create_task(levels.follow(look.now))
            stack.callback(following.cancel)
            while not following.done():
                reports = await source.poll()
                look.take(levels.fresh())
                await self._write(producer, look.live(reports), windows=levels.due())
                await asyncio.sleep(min(self._interval, max(SHORTEST, REST * look.took)))
            following.result()

    def _former_judge(self) -> Judge | None:
        """Of the last session that came so far as to look."""
        return self._before._former_judge() if self._judge is None and self._before is not None else self._judge

    async def _write(
        self,
        producer: LogProducer,
        events: Sequence[Event],
        closed: Sequence[AlertRecord] = (),
        windows: Sequence[Window] = (),
    ) -> None:
        """In one transaction, in order."""
        records = [*(record_of(event) for event in events), *closed]
        said = {ALERTS: [_entry(record) for record in records], WINDOWS: [_entry(window) for window in windows]}
        if not records and not windows:
            return
        await producer.begin()
        await producer.send({place: entries for place, entries in said.items() if entries})
        await producer.commit()
        for event in events:
            self.told(event)


async def read_alerts(client: LogClient) -> Former:
    """What ops.alerts holds now. Raises LogError."""
    reader = client.reader()
    newest: dict[bytes, AlertRecord] = {}
    try:
        start, end = (await reader.bounds([ALERTS]))[ALERTS]
        async for batch in reader.read_range(ALERTS, start, end):
            for record in batch:
                try:
                    newest[record.key or b""] = AlertRecord.from_value(record.value)
                except SchemaError as error:
                    _log.warning("ops.alerts, offset %d: %s", record.offset, error)
    finally:
        await reader.close()
    return Former(newest, end)


def _entry(record: AlertRecord | Window) -> KeyValue:
    return record.key, record.to_value()


class _Look:
    """The rules, held against the reports of all processes. ``silent``: seconds after which one does not answer.

    ``former``: who held them before in this process.
    """

    def __init__(self, judge: Judge, silent: float, former: Judge | None = None) -> None:
        self._judge = judge
        self._former = former
        self._processes = Processes(judge.wanted, silent)
        self._clock = LogClock()
        self.took = 0.0

    def past(self, reports: Sequence[Timed], back: float) -> None:
        """Looks at each second of the last ``back`` as if it were now, and has nobody told."""
        due = reports[-1][0] - back if reports else 0.0
        for at, report in reports:
            if at >= due:
                self._judge.take(self._processes.ups(at, THIN))
                self._judge.step(at)
                due = at + STEP
            self._judge.take(self._processes.take(report, at))
            self._clock.saw(at)

    def now(self) -> float:
        return self._clock.now()

    def take(self, samples: Iterable[Sample]) -> None:
        """Samples that are no process's."""
        self._judge.take(sample for sample in samples if sample.name in self._judge.wanted)

    def recover(self, former: Former, rules: Mapping[str, AlertRule]) -> tuple[list[Event], list[AlertRecord]]:
        """What is to be told after a former watch, and the alerts of rules that are no more, which are over."""
        now = self._clock.now()
        if self._former is not None:
            self._judge.adopt(self._former)
            self._former = None
        self._judge.step(now)
        firing = [record for record in former.newest.values() if record.state == "firing"]
        known = {(record.rule, labels_of(record)): record.value for record in firing if record.rule in rules}
        silent = {(record.rule, labels_of(record)) for record in firing if silenced(record)}
        closed = [replace(record, state="resolved", at_ms=round(1000 * now)) for record in firing if record.rule not in rules]
        told = {key: value for key, value in known.items() if key not in silent}
        kept = {key: value for key, value in known.items() if key in silent}
        hand = {(one.rule, labels_of(one)): one.at_ms / 1000 for one in former.newest.values() if by_hand(one)}
        events = self._judge.recover(told, now, kept, hand)
        decided(events, self._judge.firing(), self._judge.refused())
        return events, closed

    def live(self, reports: Sequence[Timed]) -> list[Event]:
        """What is to be told now."""
        began = time.monotonic()
        for at, report in reports:
            self._clock.saw(at)
            self._judge.take(self._processes.take(report, at))
        now = self._clock.now()
        self._judge.take(self._processes.ups(now))
        events = self._judge.step(now)
        decided(events, self._judge.firing(), self._judge.refused())
        self.took = time.monotonic() - began
        return events
