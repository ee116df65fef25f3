"""kill -9 of a worker with a name: started again in time, it takes its partitions back, and the other one is asked nothing."""

from __future__ import annotations

from contextlib import AsyncExitStack
from random import Random

import pytest

from streams.settings import Settings
from tests.e2e.pipeline import observing
from tests.e2e.processes import running
from tests.e2e.test_kill import AGENTS, WORKER, at_work, come_to_rest, living, share

pytestmark = [pytest.mark.kafka, pytest.mark.slow]
SHARED_OUT = "the group is shared out anew"


@pytest.mark.parametrize("seed", [14])
async def test_a_worker_that_comes_back_disturbs_nobody(kafka_settings: Settings, seed: int) -> None:
    rng = Random(seed)

    def named(name: str) -> Settings:
        found = kafka_settings.model_copy(deep=True)
        found.kafka.instance_id = name
        found.kafka.session_timeout_ms = 60_000  # far longer than this takes, so nobody is ever given up
        return found

    async with living(kafka_settings, seed) as (world, task), observing(kafka_settings) as seen, AsyncExitStack() as stack:
        await stack.enter_async_context(running(kafka_settings, "producer"))
        kept = await stack.enter_async_context(running(named("worker-0"), *WORKER))
        killed = await stack.enter_async_context(running(named("worker-1"), *WORKER))
        await share(kafka_settings)
        await at_work(seen, kept, rng, task)
        before = kept.log.read_text().count(SHARED_OUT)  # they write to one log
        killed.kill()
        back = await stack.enter_async_context(running(named("worker-1"), *WORKER))
        await at_work(seen, back, rng, task)  # all partitions get on
        assert kept.log.read_text().count(SHARED_OUT) == before + len(AGENTS)  # the one that joined, for itself alone
        await come_to_rest(world, task, seen)
