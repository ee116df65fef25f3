"""The worker of a run: ``python -m tests.slow_sink.worker BOOTSTRAP PREFIX STATE SAMPLES QUICK PER_RECORD``.

Its store takes PER_RECORD seconds for each record, ten times as long in partition 0, until the file QUICK is there. Twice a
second it says how much it has in hand: a line of SAMPLES.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from streams.agents.base import Emit, LocalState, Record
from streams.core.block import BlockRef
from streams.metrics import REGISTRY
from streams.runtime.job import AgentFactory, Limits
from streams.runtime.worker import run_worker
from streams.settings import KafkaSettings, Settings
from tests.chainlog import SIGNER, VERIFIER
from tests.toys import Tally

SLOWER = 10
IN_HAND = 400
"""Most records in hand of all partitions."""
PARTITIONS = 4


class SlowTally(Tally):
    """Tally with a slow store."""

    def __init__(self, partition: int, state: LocalState, per_record: float, quick: Path) -> None:
        super().__init__(partition, state)
        self._per_record = per_record * (SLOWER if partition == 0 else 1)
        self._quick = quick
        self._written = 0

    def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterable[Emit]:
        self._written += len(records)
        return super().apply(block, records)

    async def flush(self) -> None:
        written, self._written = self._written, 0
        for _ in range(written):
            if self._quick.exists():
                return
            await asyncio.sleep(self._per_record)


def in_hand() -> int:
    """Records taken and not settled, of all partitions."""
    total = 0
    for metric in REGISTRY.collect():
        if metric.name == "monmouth_runtime_received":
            for sample in metric.samples:
                settled = REGISTRY.get_sample_value("monmouth_runtime_position", sample.labels)
                total += max(0, int(sample.value - settled)) if settled is not None else 0
    return total


async def sampled(file: Path) -> None:
    with file.open("a") as out:
        while True:
            out.write(json.dumps(in_hand()) + "\n")
            out.flush()
            await asyncio.sleep(0.5)


async def main(bootstrap: str, prefix: str, state: str, samples: str, quick: str, per_record: str) -> None:
    kafka = KafkaSettings(bootstrap=bootstrap, prefix=prefix, partitions=PARTITIONS, fetch_mib=2, partition_fetch_mib=1)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    def make(partition: int, kept: LocalState) -> SlowTally:
        return SlowTally(partition, kept, float(per_record), Path(quick))

    saying = asyncio.create_task(sampled(Path(samples)))
    settings = Settings(state_dir=Path(state), kafka=kafka)
    limits = Limits(poll_records=IN_HAND, poll_seconds=0.5)
    await run_worker(settings, [AgentFactory(SlowTally, make)], VERIFIER, SIGNER, stop, limits=limits)
    saying.cancel()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
