"""Drives the real worker over the in-memory log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from streams import topics
from streams.errors import MonmouthError
from streams.metrics import REGISTRY
from streams.ports.log import TopicPartition
from streams.runtime.job import AgentFactory, Limits
from streams.runtime.worker import run_worker
from streams.settings import Settings, load_settings
from tests.chainlog import SIGNER, VERIFIER, ChainLog
from tests.fakelog import FakeBroker
from tests.toys import Copy, Tally, expected_counts, expected_output, live_output, table

FAST = Limits(poll_ms=20, state_seconds=0.0, retry_seconds=(0.01, 0.05))


def settings(tmp_path: Path, **kafka: int) -> Settings:
    found = load_settings(state_dir=tmp_path, kafka={"prefix": "t.", "session_timeout_ms": 50, **kafka})
    found.reorg.window = 8
    found.memory.checkpoint_blocks = 5
    return found


def publish(broker: FakeBroker, chain: ChainLog, since: int = 0) -> None:
    """Appends the chain's steps from number ``since`` on, each as one piece per partition."""
    for step in chain.steps[since:]:
        for partition, records in enumerate(step.records):
            broker.append(TopicPartition(chain.topic, partition), records)


@asynccontextmanager
async def worker(
    broker: FakeBroker, config: Settings, agents: Sequence[AgentFactory], limits: Limits = FAST
) -> AsyncIterator[asyncio.Task[None]]:
    """A worker that runs meanwhile, and is stopped gracefully; what it raised is raised."""
    stop = asyncio.Event()
    task = asyncio.create_task(run_worker(config, agents, VERIFIER, SIGNER, stop, client=broker, limits=limits))
    try:
        yield task
    finally:
        stop.set()
        await task


async def until(condition: Callable[[], bool], task: asyncio.Task[None] | None = None, seconds: float = 10.0) -> None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not condition():
        if task is not None and task.done():
            await task
        assert asyncio.get_running_loop().time() < deadline, "did not happen in time"
        await asyncio.sleep(0.005)


def caught_up(broker: FakeBroker, group: str, *inputs: str) -> bool:
    """Whether the group has committed everything there is."""
    for topic in inputs or (topics.TRANSACTIONS,):
        for partition in range(broker.partitions):
            target = TopicPartition(topic, partition)
            seen = broker.visible(target, 0, 1 << 60)
            if seen and broker.committed.get((group, target), 0) <= seen[-1].offset:
                return False
    return True


def count(kind: type[MonmouthError]) -> float:
    """Errors counted of its category and severity."""
    labels = {"category": kind.category.value, "severity": kind.severity.value}
    return REGISTRY.get_sample_value("monmouth_errors_total", labels) or 0.0


def check_tally(broker: FakeBroker, chain: ChainLog) -> None:
    """Everything Tally left behind is what the canonical chain demands."""
    for partition in range(broker.partitions):
        output = live_output(broker.read(topics.INTENTS, partition), topics.INTENTS, partition)
        assert output == expected_output(chain, partition, counted=True)
        rows = {key: row["count"] for key, row in table(broker.read(topics.ROOTS, partition)).items() if row["count"]}
        assert rows == dict(expected_counts(chain, partition))


def check_copy(broker: FakeBroker, chain: ChainLog) -> None:
    for partition in range(broker.partitions):
        output = live_output(broker.read(topics.INTENTS, partition), topics.INTENTS, partition)
        assert output == expected_output(chain, partition, counted=False)


__all__ = ["FAST", "Copy", "Tally", "caught_up", "check_copy", "check_tally", "count", "publish", "settings", "until", "worker"]
