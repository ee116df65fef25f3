"""kill -9 of a worker with a name: started again in time, it takes its partitions back, and the other one is asked nothing."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from contextlib import AsyncExitStack
from random import Random

import pytest

from infra.broker.ports import free_port
from streams.settings import Settings
from tests.e2e.pipeline import observing
from tests.e2e.processes import running
from tests.e2e.test_kill import AGENTS, WORKER, at_work, come_to_rest, living, share
from tests.e2e.test_standby import metrics

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
SHARED_OUT = "the group is shared out anew"


async def ready(port: int) -> None:
    """Waits until the worker says that it has started and is ready; it lives in any case."""

    def said(path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    assert await asyncio.to_thread(said, "/livez") == 200
    for path in ("/startupz", "/readyz"):
        async with asyncio.timeout(30):
            while await asyncio.to_thread(said, path) != 200:
                await asyncio.sleep(0.1)


@pytest.mark.parametrize("seed", [14])
async def test_a_worker_that_comes_back_disturbs_nobody(kafka_settings: Settings, seed: int) -> None:
    rng, port = Random(seed), free_port()

    def named(name: str) -> Settings:
        found = kafka_settings.model_copy(deep=True)
        found.kafka.instance_id = name
        found.kafka.session_timeout_ms = 180_000  # far longer than this takes, so nobody is ever given up
        return found

    async with living(kafka_settings, seed) as (world, task), observing(kafka_settings) as seen, AsyncExitStack() as stack:
        await stack.enter_async_context(running(kafka_settings, "producer"))
        kept = await stack.enter_async_context(running(named("worker-0"), *WORKER, "--metrics-port", str(port)))
        killed = await stack.enter_async_context(running(named("worker-1"), *WORKER))
        await share(kafka_settings)
        await ready(port)
        await at_work(seen, kept, rng, task)
        before = kept.log.read_text().count(SHARED_OUT)  # they write to one log
        killed.kill()
        back = await stack.enter_async_context(running(named("worker-1"), *WORKER))
        await at_work(seen, back, rng, task)  # all partitions get on
        assert kept.log.read_text().count(SHARED_OUT) == before + len(AGENTS)  # the one that joined, for itself alone
        behind = [value for name, value in (await metrics(port)).items() if name.startswith("monmouth_runtime_seconds_behind{")]
        assert len(behind) == len(AGENTS)  # a partition of each
        assert max(behind) < 10
        await come_to_rest(world, task, seen)
