"""kill -9 of a worker on another machine: one with standbys has all of its state and stores, and goes on in seconds."""

from __future__ import annotations

import asyncio
import urllib.request
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

import pytest

from infra.broker.ports import free_port
from streams.settings import Settings
from tests.e2e.pipeline import observing
from tests.e2e.processes import running
from tests.e2e.test_kill import AGENTS, WORKER, at_work, come_to_rest, living, share

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def machine(settings: Settings, folder: Path) -> Settings:
    """The same pipeline and keys, on a disk of its own."""
    found = settings.model_copy(deep=True)
    for name, file in settings.security.model_dump().items():
        if isinstance(file, Path):
            setattr(found.security, name, settings.path(file).resolve())
    found.state_dir = folder
    return found


async def metrics(port: int) -> dict[str, float]:
    """Of a worker, by name and labels; none while it starts."""

    def read() -> dict[str, float]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    return await asyncio.to_thread(read)


async def warm(port: int) -> None:
    """Waits until it runs one partition of each stream agent and follows the other one closely."""
    async with asyncio.timeout(60):
        while True:
            found = await metrics(port)
            lags = [value for name, value in found.items() if name.startswith("monmouth_runtime_standby_lag{")]
            if len(lags) == len(AGENTS) and max(lags) < 100:
                return
            await asyncio.sleep(0.2)


def rebuilds(found: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in found.items() if name.startswith("monmouth_runtime_rebuilds_total{")}


@pytest.mark.parametrize("seed", [13])
async def test_standbys_take_over_what_was_on_another_disk(kafka_settings: Settings, tmp_path: Path, seed: int) -> None:
    """What is compared in the end is the log, and the stores on the disk of the one that is left."""
    rng, port = Random(seed), free_port()
    async with living(kafka_settings, seed) as (world, task), observing(kafka_settings) as seen, AsyncExitStack() as stack:
        await stack.enter_async_context(running(kafka_settings, "producer"))
        other = await stack.enter_async_context(running(machine(kafka_settings, tmp_path / "other"), *WORKER))
        await at_work(seen, other, rng, task)
        options = ("--standby", "--metrics-port", str(port))
        left = await stack.enter_async_context(running(kafka_settings, *WORKER, *options))
        await share(kafka_settings)
        await warm(port)
        before = rebuilds(await metrics(port))
        other.kill()
        await at_work(seen, left, rng, task)  # all partitions get on, so it has taken over
        assert rebuilds(await metrics(port)) == before
        await come_to_rest(world, task, seen)
