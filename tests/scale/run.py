"""The course of a scale run: write, work, kill at random, come to rest, recompute everything.

Invariant: a run is good only if as many events as were written stand in the input, every output was recomputed, and no finding
is left; whatever does not come to rest in time is a finding.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from infra.broker.cluster import LocalCluster
from infra.topics import apply
from streams.settings import KafkaSettings, Settings
from streams.topics import physical
from tests.scale.ledger import COUNTS, ENTRIES, EVENTS, Ledger
from tests.scale.reading import check_all
from tests.scale.verify import Verdict

REST_SECONDS = 240.0
"""Without any progress."""
TELL_SECONDS = 10.0
BROKER_SHARE = 0.15
"""Of kills."""
KILL_EVERY = (4.0, 12.0)


@dataclass(frozen=True)
class Plan:
    """What to run. ``kills``: strike while there is work."""

    records: int
    per_block: int
    partitions: int
    workers: int
    seed: int
    kills: bool = True


@dataclass
class Report:
    """What came out. ``folded``: records that workers folded, replays counted in, as far as killed ones had told."""

    verdicts: list[Verdict] = field(default_factory=list)
    written: int = 0
    folded: int = 0
    seconds: float = 0.0
    checking: float = 0.0
    killed: dict[str, int] = field(default_factory=lambda: {"worker": 0, "broker": 0})
    findings: list[str] = field(default_factory=list)

    @property
    def events(self) -> int:
        return sum(verdict.events for verdict in self.verdicts)

    @property
    def good(self) -> bool:
        return bool(self.verdicts) and not self.findings


class Run:
    """One run on a cluster that is up. ``say`` gets a line of progress now and then."""

    def __init__(self, cluster: LocalCluster, folder: Path, plan: Plan, say: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._folder = folder
        self._plan = plan
        self._say = say
        self._random = Random(plan.seed)
        self._workers: dict[int, Process] = {}
        self._incarnations = 0
        self.report = Report()
        kafka = KafkaSettings(
            bootstrap=cluster.bootstrap,
            prefix=f"scale-{uuid.uuid4().hex[:8]}.",
            partitions=plan.partitions,
            replication=cluster.replication,
        )
        self._settings = Settings(state_dir=folder / "state", kafka=kafka)

    async def play(self) -> Report:
        """Everything, in order; what was started is ended."""
        started = time.monotonic()
        await self._topics()
        writer = await self._spawn("writer", str(self._plan.records), str(self._plan.per_block), str(self._plan.seed))
        reading = asyncio.create_task(self._listen(writer))
        try:
            for number in range(self._plan.workers):
                await self._start(number)
            killing = asyncio.create_task(self._kill()) if self._plan.kills else None
            await self._until_settled(reading, killing)
        finally:
            with suppress(ProcessLookupError):
                writer.kill()
            await self._stop()
        self.report.seconds = time.monotonic() - started
        await self._judge()
        return self.report

    async def _topics(self) -> None:
        kafka = self._settings.kafka
        await apply(kafka)
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        await admin.start()
        settings = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(4 << 20)}
        try:
            await admin.create_topics(
                [
                    NewTopic(
                        physical(kafka.prefix, topic),
                        kafka.partitions,
                        kafka.replication,
                        topic_configs=settings | {"cleanup.policy": "compact" if topic == COUNTS else "delete"},
                    )
                    for topic in (EVENTS, ENTRIES, COUNTS)
                ]
            )
        finally:
            await admin.close()
        await self._cluster.in_sync()

    async def _spawn(self, module: str, *arguments: str) -> Process:
        log = (self._folder / f"{module}.log").open("ab")
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"tests.scale.{module}", self._settings.model_dump_json(), *arguments,
            stdout=PIPE if module == "writer" else log, stderr=log, start_new_session=True,
        )  # fmt: skip

    async def _listen(self, writer: Process) -> None:
        """Until the writer has written all. Raises if it did not."""
        assert writer.stdout is not None
        async for line in writer.stdout:
            self.report.written = json.loads(line)["records"]
        if await writer.wait():
            raise RuntimeError(f"the writer failed, see {self._folder / 'writer.log'}")

    async def _start(self, number: int) -> None:
        self._incarnations += 1
        count = self._folder / f"folded-{self._incarnations}"
        self._workers[number] = await self._spawn("worker", str(count))

    async def _kill(self) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(*KILL_EVERY))
            if self._random.random() < BROKER_SHARE and len(self._cluster.nodes) > 1:
                await self._kill_broker()
            else:
                await self._kill_worker()

    async def _kill_worker(self) -> None:
        number = self._random.choice(sorted(self._workers))
        worker = self._workers[number]
        with suppress(ProcessLookupError):
            worker.kill()
        await worker.wait()
        self.report.killed["worker"] += 1
        await asyncio.sleep(1.0)
        await self._start(number)

    async def _kill_broker(self) -> None:
        node = self._cluster.nodes[self._random.choice(sorted(self._cluster.nodes))]
        await asyncio.to_thread(node.kill)
        self.report.killed["broker"] += 1
        await asyncio.to_thread(node.start)
        await self._cluster.in_sync(timeout=180)  # of two lost at once no promise is made

    async def _until_settled(self, reading: asyncio.Task[None], killing: asyncio.Task[None] | None) -> None:
        loop = asyncio.get_running_loop()
        moved, told, last = loop.time(), loop.time(), 0
        while True:
            await asyncio.sleep(1.0)
            for task in (reading, killing):
                if task is not None and task.done():
                    task.result()
            await self._mend()
            settled, behind = await self._position()
            if loop.time() - told >= TELL_SECONDS:
                self._say(f"  written {self.report.written:,}, log positions settled {settled:,}, {behind:,} behind")
                told = loop.time()
            if reading.done() and killing is not None and not killing.done() and behind < 200_000:
                killing.cancel()  # the last stretch in peace, with everything up
                with suppress(asyncio.CancelledError):
                    await killing
                killing = None
                await self._revive()
            if reading.done() and behind == 0:
                break
            if settled > last:
                last, moved = settled, loop.time()
            elif loop.time() - moved > REST_SECONDS:
                self.report.findings.append(f"stuck: {behind} log positions behind after {REST_SECONDS:.0f} s of no progress")
                break
        if killing is not None:
            killing.cancel()

    async def _revive(self) -> None:
        for node in self._cluster.nodes.values():
            if node.pid is None:
                await asyncio.to_thread(node.start)
        await self._mend()

    async def _mend(self) -> None:
        """Starts again what ended by itself, as a supervisor does; that is a finding."""
        for number, worker in list(self._workers.items()):
            if worker.returncode not in (None, -9):
                self.report.findings.append(f"worker {number} ended by itself with exit code {worker.returncode}")
                await self._start(number)

    async def _position(self) -> tuple[int, int]:
        """(positions settled, positions behind), both summed over partitions; (0, all) while the cluster does not answer."""
        kafka = self._settings.kafka
        consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, group_id=physical(kafka.prefix, Ledger.name))
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
        sources = [TopicPartition(physical(kafka.prefix, EVENTS), partition) for partition in range(kafka.partitions)]
        try:
            async with asyncio.timeout(20):
                await consumer.start()
                ends = await consumer.end_offsets(sources)
                await admin.start()
                found = await admin.list_consumer_group_offsets(physical(kafka.prefix, Ledger.name))
        except (KafkaError, OSError, TimeoutError):
            return 0, sys.maxsize
        finally:
            with suppress(Exception):
                await consumer.stop()
            with suppress(Exception):
                await admin.close()
        done = {source: max(0, found[source].offset) if source in found else 0 for source in sources}
        return sum(done.values()), sum(ends.values()) - sum(done.values())

    async def _stop(self) -> None:
        for worker in self._workers.values():
            with suppress(ProcessLookupError):
                worker.terminate()
        for worker in self._workers.values():
            try:
                await asyncio.wait_for(worker.wait(), 60)
            except TimeoutError:
                worker.kill()
                self.report.findings.append("a worker did not stop within 60 s of SIGTERM")

    async def _judge(self) -> None:
        began = time.monotonic()
        report = self.report
        report.folded = sum(int(file.read_text() or 0) for file in self._folder.glob("folded-*"))
        report.verdicts = await check_all(self._settings.kafka, self._plan.partitions, 2)
        report.findings += [finding for verdict in report.verdicts for finding in verdict.findings]
        if report.events != report.written:
            report.findings.append(f"lost write: {report.written} events were acknowledged, {report.events} stand in the input")
        report.checking = time.monotonic() - began
