"""Runs the code of docs/stream-agents.md as a newcomer would have it, over a log with reorganisations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from streams import topics
from streams.errors import StoreError
from streams.runtime.job import AgentFactory
from tests.chainlog import ChainLog, partition_of
from tests.fakelog import FakeBroker
from tests.toys import live_output
from tests.unit.runtime.driving import caught_up, publish, settings, until, worker
from tests.unit.runtime.test_deferral import QUICK, say

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "stream-agents.md"


@pytest.fixture
def guide(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    spec, module, oracle, delivery = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    names: dict[str, Any] = {"__name__": "guide"}
    exec(f"from streams.topics import TopicSpec\nspec = {spec}", names)
    monkeypatch.setitem(topics.TOPICS, names["spec"].name, names["spec"])
    exec(module, names)
    exec(oracle, names)
    exec(delivery, names)
    return names


def grown() -> ChainLog:
    chain = ChainLog()
    for n in range(12):
        chain.add([n % 2, 1, 2], status=0 if n % 3 else 1)
    chain.undo(4)
    for n in range(5):
        chain.add([1, 1, n % 3], fork="b", status=n % 2)
    chain.undo(2)
    chain.add([1, 2, 2], fork="c", status=0)
    return chain


async def test_the_guide_keeps_its_promise(guide: dict[str, Any], tmp_path: Path) -> None:
    broker, chain, agent = FakeBroker(), grown(), guide["FailureAgent"]
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [AgentFactory(agent, agent)]) as task:
        await until(lambda: caught_up(broker, "failures"), task)
    found = 0
    for partition in range(broker.partitions):
        alarms = live_output(broker.read("agents.alarms", partition), "agents.alarms", partition)
        texts = [record["text"] for _, records in alarms for record in records]
        transactions = [value for _, placed in chain.blocks for _, _, value in placed[partition]]
        assert texts == guide["expected"](transactions)
        found += len(texts)
    assert found > 3


async def test_a_delivery_is_tried_again(guide: dict[str, Any], tmp_path: Path) -> None:
    broker, chain, agent = FakeBroker(), grown(), guide["PostAgent"]
    publish(broker, chain)
    handed: list[tuple[str, str]] = []
    failures = [StoreError("the receiver does not answer")]

    async def hand_over(value: dict[str, Any], once: str) -> None:
        if value["content"] == b"first" and failures:
            raise failures.pop()
        handed.append((value["content"].decode(), once))

    guide["hand_over"] = hand_over
    for text in ("first", "second"):
        say(broker, chain, b"a" * 20, text)
    async with worker(broker, settings(tmp_path), [AgentFactory(agent, agent)], QUICK) as task:
        await until(lambda: len(handed) == 2, task)
    partition = partition_of(b"a" * 20, chain.partitions)
    assert handed == [("first", f"memory.commands/{partition}/0"), ("second", f"memory.commands/{partition}/1")]
