"""kill -9 of a worker process at the worst moments: the next one goes on with nothing lost, doubled or stale."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process

import pytest

from streams.settings import Settings
from tests.conftest import ROOT
from tests.integration.runtime.kafkalog import ChainWriter, check_tally, has_output, wait_for
from tests.integration.runtime.test_worker import grown, worker

pytestmark = pytest.mark.kafka


async def victim(settings: Settings, point: str, after: int, poll: int = 10) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.runtime.victim", settings.model_dump_json(), point, str(after), str(poll),
        cwd=ROOT, stdout=PIPE,
    )  # fmt: skip


async def killed_at(process: Process) -> None:
    """Waits until the process froze, then kills it."""
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        assert line == b"here\n"
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize(
    ("point", "after"), [("apply", 0), ("apply", 5), ("written", 2), ("committed", 2), ("revert", 1), ("revert", 3)]
)
async def test_kill_9(kafka_settings: Settings, point: str, after: int) -> None:
    chain = grown(10)
    chain.undo(6)
    chain.add([1, 2, 3], fork="b")
    chain.undo(2)
    chain.add([1, 2, 3, 4, 5], fork="c")
    async with ChainWriter(kafka_settings) as writer:
        await writer.publish(chain)
        await killed_at(await victim(kafka_settings, point, after))
        async with worker(kafka_settings) as task:
            await wait_for(lambda: has_output(kafka_settings, chain), task, seconds=40)
            chain.undo(2)
            chain.add([7, 8], fork="d")
            await writer.publish(chain)
            await wait_for(lambda: has_output(kafka_settings, chain), task)
    await check_tally(kafka_settings, chain)


async def test_paused_owner_wakes_up_after_another_took_over(kafka_settings: Settings) -> None:
    import os  # noqa: PLC0415
    import signal  # noqa: PLC0415

    chain = grown(8)
    async with ChainWriter(kafka_settings) as writer:
        await writer.publish(chain)
        process = await victim(kafka_settings, "nowhere", 0)
        try:
            await wait_for(lambda: has_output(kafka_settings, chain), seconds=40)
            os.kill(process.pid, signal.SIGSTOP)
            async with worker(kafka_settings) as task:
                chain.undo(3)
                chain.add([1, 2, 3], fork="b")
                await writer.publish(chain)
                await wait_for(lambda: has_output(kafka_settings, chain), task, seconds=40)
                os.kill(process.pid, signal.SIGCONT)
                for n in range(20):
                    chain.add([n, 2], fork="c")
                    await writer.publish(chain)
                    await asyncio.sleep(0.1)
                await wait_for(lambda: has_output(kafka_settings, chain), seconds=60)
        finally:
            process.kill()
            await process.wait()
    await check_tally(kafka_settings, chain)
