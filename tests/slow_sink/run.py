"""One run: a chain is written faster than the worker's store takes it, a second worker comes and goes, then the store is quick.

What is checked: memory and records in hand of the worker are bounded all the while; partitions other than the slowest go on; in
the end everything has arrived exactly once.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition

from infra.topics import apply
from streams import topics
from streams.settings import KafkaSettings, Settings
from tests.chainlog import ChainLog
from tests.conftest import ROOT
from tests.integration.runtime.kafkalog import ChainWriter, check_tally, has_output, wait_for
from tests.slow_sink.verdict import Sample
from tests.slow_sink.worker import PARTITIONS

INPUT = bytes(512)
BLOCK = 20
LEAD = 2_000
"""Records that wait in the log at the beginning."""


@dataclass
class Report:
    """``committed``: offset of each partition up to which the slow store had taken everything, when it became quick.

    ``changes``: seconds since the beginning at which a second worker came or went.
    """

    samples: list[Sample] = field(default_factory=list)
    committed: list[int] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)
    records: int = 0


@dataclass
class Run:
    """``seconds``: how long the store is slow. ``per_record``: seconds it takes for one. ``rate``: records written a second."""

    bootstrap: str
    folder: Path
    seconds: float
    per_record: float = 0.06
    rate: float = 60.0
    lead: int = LEAD
    say: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        kafka = KafkaSettings(bootstrap=self.bootstrap, prefix=f"slow{self.folder.name[-6:]}.", partitions=PARTITIONS)
        self.settings = Settings(state_dir=self.folder / "state", kafka=kafka)
        self._chain = ChainLog(partitions=PARTITIONS)
        self._quick = self.folder / "quick"
        self._written = 0

    async def run(self) -> Report:
        await apply(self.settings.kafka)
        report = Report()
        async with ChainWriter(self.settings) as writer:
            await self._write(writer, self.lead)
            worker = self._start("one")
            try:
                await self._slow(writer, worker, report)
                self._quick.touch()
                await wait_for(lambda: has_output(self.settings, self._chain), seconds=60 + self._written / 100)
            finally:
                self._end(worker)
        await check_tally(self.settings, self._chain)
        report.records = self._written
        return report

    async def _slow(self, writer: ChainWriter, worker: subprocess.Popen[bytes], report: Report) -> None:
        clock, second = asyncio.get_running_loop().time, None
        await wait_for(self._works, seconds=60)  # a busy machine takes long to start it
        memory, began = psutil.Process(worker.pid), clock()
        group = f"{self.settings.kafka.prefix}tally"
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, group_id=group, enable_auto_commit=False)
        await consumer.start()
        try:
            while (now := clock() - began) < self.seconds:
                assert worker.poll() is None, (self.folder / "one.log").read_text()[-2000:]
                if second is None and 0.4 * self.seconds < now < 0.5 * self.seconds:
                    self.say(f"{now:7.0f} s: a second worker joins")
                    report.changes.append(now)
                    second = self._start("two")
                elif second is not None and now > 0.7 * self.seconds:
                    self.say(f"{now:7.0f} s: it leaves")
                    report.changes.append(now)
                    self._end(second)
                    second = None
                due = self.lead + now * self.rate - self._written
                if due >= BLOCK:
                    await self._write(writer, int(due))
                report.committed, waits = await self._standing(consumer)
                report.samples.append(Sample(now, memory.memory_info().rss / 2**20, self._in_hand(), waits))
                await asyncio.sleep(min(1.0, self.seconds / 60))
        finally:
            await consumer.stop()
            if second is not None:
                self._end(second)

    async def _write(self, writer: ChainWriter, records: int) -> None:
        for _ in range(records // BLOCK):
            self._chain.add([n % 40 for n in range(self._written, self._written + BLOCK)], input=INPUT)
            self._written += BLOCK
        await writer.publish(self._chain)

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        kafka = self.settings.kafka
        argv = [sys.executable, "-m", "tests.slow_sink.worker", kafka.bootstrap, kafka.prefix, str(self.folder / name)]
        argv += [str(self.folder / f"{name}.samples"), str(self._quick), str(self.per_record)]
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=log)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    async def _works(self) -> bool:
        return self._in_hand() > 0

    def _in_hand(self) -> int:
        file = self.folder / "one.samples"
        lines = file.read_text().splitlines() if file.exists() else []
        return max(map(int, lines[-2:]), default=0)

    async def _standing(self, consumer: AIOKafkaConsumer) -> tuple[list[int], int]:
        """Committed offset of each partition, and how many are left behind them."""
        topic = self.settings.kafka.prefix + topics.TRANSACTIONS
        sources = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        ends = await consumer.end_offsets(sources)
        committed = [await consumer.committed(source) or 0 for source in sources]
        return committed, sum(ends.values()) - sum(committed)
