"""kill -9 of the owner on another disk: the standby has the very state, and reads nothing from the beginning."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from streams.runtime.state import StateStore, state_path
from streams.settings import Settings
from tests.integration.runtime.kafkalog import ChainWriter, check_tally, has_output, wait_for
from tests.integration.runtime.test_kill import killed_at, victim
from tests.integration.runtime.test_worker import grown, worker
from tests.toys import expected_counts

pytestmark = pytest.mark.kafka


def metric(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"monmouth_runtime_{name}", {"agent": "tally", **labels})


def rebuilds() -> float:
    """Of any kind."""
    found = next(family for family in REGISTRY.collect() if family.name == "monmouth_runtime_rebuilds")
    return sum(sample.value for sample in found.samples if sample.name.endswith("_total"))


async def runs_both() -> bool:
    """Whether this process runs both partitions."""
    return metric("partitions") == 2


def on(settings: Settings, folder: Path, *, standby: bool = False) -> Settings:
    """The same pipeline on a disk of its own."""
    found = settings.model_copy(deep=True)
    found.state_dir, found.worker.standby = folder, standby
    found.kafka.session_timeout_ms, found.kafka.heartbeat_interval_ms = 1_500, 300
    found.kafka.partitions = 2
    return found


def counts(settings: Settings, partition: int) -> dict[bytes, int]:
    """What the local state of a partition says; for a folder nobody uses."""
    store = StateStore(state_path(settings.state_dir, "tally", partition))
    try:
        return {key[1:]: int(value) for key, value in store.scan(b"t")}
    finally:
        store.close()


@pytest.mark.parametrize(("point", "after"), [("written", 30), ("committed", 30), ("apply", 40), ("revert", 12)])
async def test_kill_9_of_an_owner_on_another_disk(kafka_settings: Settings, tmp_path: Path, point: str, after: int) -> None:
    """Reorgs flow until the owner freezes in its work, where it is killed."""
    chain, owner = grown(8), on(kafka_settings, tmp_path / "owner")
    mine = on(kafka_settings, tmp_path / "standby", standby=True)
    async with ChainWriter(kafka_settings) as writer:
        await writer.publish(chain)
        process = await victim(owner, point, after)
        try:
            await wait_for(lambda: has_output(kafka_settings, chain), seconds=40)
            async with worker(mine) as task:  # takes one partition of the two and follows the other
                await wait_for(shared_out, task, seconds=40)
                before = rebuilds()
                killed = asyncio.create_task(killed_at(process))
                for turn in range(200):
                    chain.undo(2)
                    for n in range(4):
                        chain.add([n, 2, turn % 5], fork=turn)
                    await writer.publish(chain)
                    if (await asyncio.wait([killed], timeout=0.2))[0]:
                        break
                await killed
                await wait_for(lambda: has_output(kafka_settings, chain), task, seconds=40)
                await wait_for(both_held, task, seconds=40)  # at times all of it is the owner's, from before it froze
                assert rebuilds() == before
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    await check_tally(kafka_settings, chain)
    for partition in range(2):
        assert counts(mine, partition) == dict(expected_counts(chain, partition))


async def both_held() -> bool:
    return metric("partitions") == 2


async def shared_out() -> bool:
    """Whether a standby of one partition has nothing to catch up with, and the other one runs."""
    lags = [metric("standby_lag", partition=str(number)) for number in range(2)]
    return lags.count(None) == 1 and 0 in lags and metric("partitions") == 1
