"""Worker and producer on a real broker that stops answering: neither is ready then, both live, and both are ready again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from infra.broker import LocalBroker
from infra.broker.ports import free_port
from infra.topics import apply
from streams.cli.producer import build
from streams.health import Health, watch
from streams.producer import loop as producing
from streams.runtime.worker import run_worker
from streams.settings import KafkaSettings, Settings
from tests.chainlog import SIGNER, VERIFIER
from tests.chains import ScriptedSource, chain
from tests.integration.runtime.kafkalog import ChainWriter, has_output, wait_for
from tests.integration.runtime.test_worker import grown
from tests.toys import Tally, factory

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture
async def own(broker: str, jars_dir: Path, tmp_path: Path) -> AsyncIterator[LocalBroker]:
    """A broker that may be stopped; ``broker`` is asked for so that jars are known to be there."""
    found = LocalBroker(tmp_path / "broker", port=free_port(), jars=jars_dir, record_startup=False)
    await asyncio.to_thread(found.start)
    try:
        yield found
    finally:
        if found.pid is not None:
            os.kill(found.pid, signal.SIGCONT)
        await asyncio.to_thread(found.stop)


def behind() -> list[float | None]:
    name = "monmouth_runtime_seconds_behind"
    return [REGISTRY.get_sample_value(name, {"agent": "tally", "partition": str(number)}) for number in range(2)]


async def until(condition: Callable[[], object], *tasks: asyncio.Task[object], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            for task in tasks:
                assert not task.done(), task
            await asyncio.sleep(0.05)


async def test_a_broker_that_is_silent_makes_them_not_ready(
    own: LocalBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producing, "PATIENCE", 2.0)
    kafka = KafkaSettings(bootstrap=own.bootstrap, prefix="p.", partitions=2, request_timeout_ms=3_000)
    await apply(kafka)
    config, blocks, stop = Settings(state_dir=tmp_path, kafka=kafka), grown(5), asyncio.Event()
    config.chain.poll_interval = 0.1
    health, producing_health = Health(60), Health(60)
    source = ScriptedSource(chain(3))
    producer = await build(config.model_copy(update={"kafka": kafka.model_copy(update={"prefix": "q."})}), source)
    await apply(kafka.model_copy(update={"prefix": "q."}))
    run = run_worker(config, [factory(Tally)], VERIFIER, SIGNER, stop, health=health)
    tasks: list[asyncio.Task[object]] = [asyncio.create_task(run), asyncio.create_task(producer.run())]
    watching = asyncio.create_task(watch(producing_health, producer.look))
    try:
        async with ChainWriter(config) as writer:
            await writer.publish(blocks)
            await wait_for(lambda: has_output(config, blocks), tasks[0])
        await until(lambda: not health.ready() and not producing_health.ready(), *tasks)
        await until(lambda: behind() == [0.0, 0.0], *tasks)
        assert not health.startup()
        assert not producing_health.startup()
        assert own.pid is not None
        os.kill(own.pid, signal.SIGSTOP)
        source.grow(1)
        await until(lambda: health.ready() and producing_health.ready(), *tasks)
        assert "the broker" in str(health.ready())
        assert "transaction" in str(producing_health.ready()) or "failures" in str(producing_health.ready())
        assert not health.live()
        assert not producing_health.live()
        os.kill(own.pid, signal.SIGCONT)
        await until(lambda: not health.ready() and not producing_health.ready(), *tasks, seconds=60)
    finally:
        if own.pid is not None:
            os.kill(own.pid, signal.SIGCONT)
        stop.set()
        producer.stop()
        watching.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
