"""The webhook agent: which records go out, under which name, and that nothing private goes with them."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.webhook import Webhook
from schemas.codec import Codec, codec, using
from schemas.defaults import plain_command, plain_memory
from streams import topics
from streams.agents.base import Record
from streams.agents.memory_facts import upsert_fact
from streams.agents.webhook import OFFERED, WebhookAgent
from streams.cli.wiring import AGENTS, agent_factories
from streams.core.block import BlockRef
from streams.core.ids import content_id
from streams.errors import ConfigurationError
from streams.ports.log import TopicPartition
from streams.ports.receiver import ReceiverError
from streams.runtime.decode import decode
from streams.runtime.job import AgentFactory
from streams.settings import Settings
from streams.vault.sealing import sealed_records
from streams.webhook_settings import WebhookSettings
from tests.chainlog import ChainLog, partition_of
from tests.conftest import ROOT
from tests.fakelog import Entry, FakeBroker
from tests.fakes import MemoryState
from tests.receiver import SECRET, receiving
from tests.unit.runtime.driving import publish, settings, until, worker
from tests.unit.runtime.test_deferral import QUICK
from tests.unit.runtime.test_replay import ask

ALICE = b"\xa1" * 20
CANARY = "canary-5up3r-pr1vat3"


class Place:
    """Takes everything but ``never``, once it has failed as often as it should."""

    def __init__(self, failures: int = 0, never: str = "") -> None:
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.failures = failures
        self.never = never

    async def take(self, name: str, body: bytes) -> None:
        await asyncio.sleep(0)
        if name == self.never:
            raise ReceiverError("not this one")
        if self.failures > 0:
            self.failures -= 1
            raise ReceiverError("not now")
        self.got.append((name, json.loads(body)))


def command(content: str = CANARY, **fields: Any) -> dict[str, Any]:
    return {**plain_command(b"c" * 16, ALICE, "STORE", 1_700_000_000), "content": content.encode(), **fields}


def fact(block: BlockRef | None = None) -> dict[str, Any]:
    memory: Any = {**plain_memory(b"m" * 32, ALICE, "SEMANTIC", "COMMAND", 1_700_000_000), "content": CANARY.encode()}
    return dict(upsert_fact(content_id("put", b"m" * 32), {**memory, "tags": [CANARY]}, block and block.record()))


def facts_of_blocks() -> ChainLog:
    """The log of the memory agent, with a fact of ALICE in each block."""
    chain = ChainLog(topic=topics.MEMORY_LOG)
    for _ in range(4):
        placed: list[list[tuple[bytes, str, dict[str, Any]]]] = [[] for _ in range(chain.partitions)]
        ref = chain.next_ref()
        placed[partition_of(ALICE, chain.partitions)].append((ALICE, "MemoryFact", fact(ref)))
        chain.add_records(placed, ref)
    return chain


def record_in(topic: str, kind: str, value: dict[str, Any], offset: int = 7) -> Record:
    (record,) = decode(TopicPartition(topic, 2), [Entry(offset, ALICE, codec().encode(kind, value))])
    return record


async def sent(record: Record, chosen: tuple[str, ...] = OFFERED) -> list[tuple[str, dict[str, Any]]]:
    place = Place()
    await WebhookAgent(2, MemoryState(), place, chosen=chosen, prefix="t.").deliver(record)
    return place.got


def _outside(kind: str) -> bool:
    """Whether a record of that type may stand outside blocks."""
    schema = json.loads((Codec().root / f"{kind}.avsc").read_text())
    (block,) = [field["type"] for field in schema["fields"] if field["name"] == "block"] or [["null"]]
    return "null" in block


def test_offered_are_the_topics_by_agent_with_records_outside_blocks() -> None:
    assert set(OFFERED) == {
        spec.name
        for spec in topics.TOPICS.values()
        if (spec.cleanup, spec.key) == ("delete", "agent") and any(map(_outside, set(spec.records) - {"Marker"}))
    }
    assert set(WebhookAgent.inputs) == {*OFFERED, *topics.RETRIES}
    assert set(WebhookAgent.timely()) == set(OFFERED), "what waits for its next try is not late"
    for name in OFFERED:
        WebhookSettings(topics=[name])
    assert "webhook" not in AGENTS, "off unless asked for"


async def test_a_record_goes_out_as_json_under_its_place_on_the_broker() -> None:
    (one,) = await sent(record_in(topics.COMMANDS, "MemoryCommand", command(importance=float("nan"))))
    name, said = one
    assert name == said["id"] == "t.memory.commands/2/7"
    assert (said["type"], said["key"]) == ("MemoryCommand", "0x" + ALICE.hex())
    wanted = {"agent": "0x" + ALICE.hex(), "op": "STORE", "timestamp": 1_700_000_000, "sealed": False, "importance": None}
    assert {key: said["record"][key] for key in wanted} == wanted


@pytest.mark.parametrize(
    ("topic", "kind", "value"),
    [(topics.COMMANDS, "MemoryCommand", command(tags=[CANARY])), (topics.MEMORY_LOG, "MemoryFact", fact())],
)
async def test_what_is_sealed_in_the_topic_stays_so_and_no_ciphertext_goes(
    tmp_path: Path, topic: str, kind: str, value: dict[str, Any]
) -> None:
    with sealed_records(Settings(state_dir=tmp_path)):
        record = record_in(topic, kind, value)
        assert CANARY in str(record.value), "the worker itself has opened it"
        ((_, said),) = await sent(record)
    text = json.dumps(said)
    part = said["record"] if kind == "MemoryCommand" else said["record"]["memory"]
    assert part["sealed"] is True
    assert CANARY not in text
    assert CANARY.encode().hex() not in text
    assert len(text) < 1_500


async def test_topics_that_were_not_chosen_are_passed_over() -> None:
    assert await sent(record_in(topics.COMMANDS, "MemoryCommand", command()), chosen=(topics.MEMORY_LOG,)) == []


async def test_a_worker_that_is_not_told_where_to_or_with_what_secret_does_not_start(tmp_path: Path) -> None:
    for said in ({}, {"secret": SECRET.decode()}, {"url": "https://example.org/"}):
        found = Settings(state_dir=tmp_path, webhook=WebhookSettings.model_validate(said))
        async with AsyncExitStack() as stack:
            with pytest.raises(ConfigurationError, match="webhook"):
                agent_factories(found, ["webhook"], stack)


def say(broker: FakeBroker, chain: ChainLog, topic: str, kind: str, value: dict[str, Any]) -> None:
    broker.append(TopicPartition(topic, partition_of(ALICE, chain.partitions)), [(ALICE, codec().encode(kind, value))])


async def test_facts_between_blocks_go_out_and_those_of_blocks_do_not(tmp_path: Path) -> None:
    broker, chain, place = FakeBroker(), facts_of_blocks(), Place(failures=1)
    publish(broker, chain)
    for _ in range(3):
        say(broker, chain, topics.MEMORY_LOG, "MemoryFact", fact())
    say(broker, chain, topics.COMMANDS, "MemoryCommand", command())
    factory = AgentFactory(WebhookAgent, lambda number, state: WebhookAgent(number, state, place, chosen=OFFERED, prefix="t."))
    async with worker(broker, settings(tmp_path), [factory], QUICK) as task:
        await until(lambda: len(place.got) == 4, task)
    number = partition_of(ALICE, chain.partitions)
    start = len(chain.log(number))
    facts = [name for name, _ in place.got if "memory.log" in name]
    assert facts == [f"t.memory.log/{number}/{start + at}" for at in range(3)]


async def test_a_replay_delivers_the_facts_behind_its_block_again_under_their_ids(tmp_path: Path) -> None:
    broker, chain, place = FakeBroker(), facts_of_blocks(), Place()
    publish(broker, chain)
    for _ in range(2):
        say(broker, chain, topics.MEMORY_LOG, "MemoryFact", fact())
    factory = AgentFactory(WebhookAgent, lambda number, state: WebhookAgent(number, state, place, chosen=OFFERED))
    async with worker(broker, settings(tmp_path), [factory], replace(QUICK, replay_seconds=0.02)) as task:
        await until(lambda: len(place.got) == 2, task)
        ask(broker, WebhookAgent.name, 3)
        await until(lambda: len(place.got) == 4, task)
    assert place.got[:2] == place.got[2:]


async def test_where_as_many_wait_as_may_the_topic_with_the_markers_waits_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.core.deferral.MOST", 4)
    broker, chain = FakeBroker(), facts_of_blocks()
    publish(broker, chain)
    number = partition_of(ALICE, chain.partitions)
    start = len(chain.log(number))
    place = Place(never=f"t.memory.log/{number}/{start}")
    for _ in range(20):
        say(broker, chain, topics.MEMORY_LOG, "MemoryFact", fact())
    factory = AgentFactory(WebhookAgent, lambda at, state: WebhookAgent(at, state, place, chosen=OFFERED, prefix="t."))
    async with worker(broker, settings(tmp_path), [factory], QUICK) as task:
        await until(lambda: len(place.got) == 19, task, 30)
    assert [name for name, _ in place.got] == [f"t.memory.log/{number}/{start + at}" for at in range(1, 20)]
    assert len(broker.read(topics.DLQ, 0)) == 1


async def test_an_agent_that_was_erased_while_its_record_waited_is_told_to_nobody(tmp_path: Path) -> None:
    broker, chain, place = FakeBroker(), facts_of_blocks(), Place(failures=1)
    publish(broker, chain)
    factory = AgentFactory(WebhookAgent, lambda number, state: WebhookAgent(number, state, place, chosen=OFFERED))
    with sealed_records(Settings(state_dir=tmp_path)) as keys:
        say(broker, chain, topics.COMMANDS, "MemoryCommand", command())
        async with worker(broker, settings(tmp_path), [factory], QUICK) as task:
            await until(lambda: place.failures == 0, task)
            keys.destroy(ALICE)
            say(broker, chain, topics.EVICTIONS, "MemoryFact", fact())
            await until(lambda: len(place.got) == 1, task)
            retried = TopicPartition(topics.RETRIES[0], partition_of(ALICE, chain.partitions))
            await until(lambda: broker.committed.get((WebhookAgent.name, retried), 0) > 0, task)
    assert [said["type"] for _, said in place.got] == ["MemoryFact"]
    assert broker.read(topics.DLQ, 0) == []


async def test_a_real_receiver_can_tell_who_sends_and_what(tmp_path: Path) -> None:
    async with receiving() as place:
        webhook = Webhook(WebhookSettings(url=place.url), SECRET)
        agent = WebhookAgent(2, MemoryState(), webhook, chosen=OFFERED, prefix="t.")
        with using(Codec()):
            await agent.deliver(record_in(topics.COMMANDS, "MemoryCommand", command()))
        await webhook.close()
    (post,) = place.posts
    assert post.genuine
    assert post.id == post.said["id"] == "t.memory.commands/2/7"
    page = receiver_of_the_page()
    assert page["take"](post.headers, post.raw) == page["take"](post.headers, post.raw) == 204
    assert list(page["seen"]) == [post.id]
    assert page["take"](post.headers, post.raw.replace(b"STORE", b"ERASE")) == 401
    assert page["take"]({**post.headers, "X-Monmouth-Timestamp": "1700000000"}, post.raw) == 401
    assert page["take"]({}, post.raw) == 401


def receiver_of_the_page() -> dict[str, Any]:
    """The code that docs/tapping.md gives a receiver, with the secret of this test."""
    section = (ROOT / "docs" / "tapping.md").read_text().partition("## Without a Kafka client")[2]
    names: dict[str, Any] = {"__name__": "page"}
    exec(section.partition("```python\n")[2].partition("```")[0], names)
    names["SECRET"] = SECRET
    return names
