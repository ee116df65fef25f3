"""A worker process that freezes at a chosen point, so that its parent can kill it there.

Arguments: settings as JSON, point, times the point is passed before. Points: ``apply``, ``revert`` (inside the fold,
after state changed), ``written`` (outputs and offsets in an open transaction), ``committed`` (the transaction is visible, local
state is not written). Prints "here" when it freezes.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterable, Sequence

from streams.agents.base import Emit, Record
from streams.core.block import BlockRef
from streams.runtime.job import AgentFactory, Limits
from streams.runtime.kafka.client import KafkaClient
from streams.runtime.kafka.producer import KafkaProducer
from streams.runtime.worker import run_worker
from streams.settings import Settings
from tests.chainlog import SIGNER, VERIFIER
from tests.toys import Tally


class Freeze:
    def __init__(self, point: str, after: int) -> None:
        self.point = point
        self.left = after

    def at(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if self.left < 0:
                print("here", flush=True)
                time.sleep(600)


def frozen_client(settings: Settings, freeze: Freeze) -> KafkaClient:
    class Producer(KafkaProducer):
        async def commit(self) -> None:
            freeze.at("written")
            await super().commit()
            freeze.at("committed")

    class Client(KafkaClient):
        def producer(self, group: str, partition: int) -> KafkaProducer:
            return Producer(self._settings, self._names, group, partition)

    return Client(settings.kafka)


def frozen_agent(freeze: Freeze) -> type[Tally]:
    class Victim(Tally):
        def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterable[Emit]:
            emits = list(super().apply(block, records))
            if records:
                freeze.at("apply")
            return emits

        def revert(self, block: BlockRef, records: Sequence[Record]) -> Iterable[Emit]:
            emits = list(super().revert(block, records))
            freeze.at("revert")
            return emits

    return Victim


def main() -> None:
    settings = Settings.model_validate_json(sys.argv[1])
    freeze = Freeze(sys.argv[2], int(sys.argv[3]))
    agent = frozen_agent(freeze)
    limits = Limits(poll_records=int(sys.argv[4]))
    client = frozen_client(settings, freeze)
    worker = run_worker(settings, [AgentFactory(agent, agent)], VERIFIER, SIGNER, asyncio.Event(), client=client, limits=limits)
    asyncio.run(worker)


if __name__ == "__main__":
    main()
