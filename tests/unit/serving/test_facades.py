"""The facades over the product's own client, against a gateway that answers on a port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import pytest

from streams.core.block import BlockRef
from streams.ops.reports import AlertRecord
from streams.portability.sniff import read_any
from streams.serving.app import create_app
from streams.serving.client import Client
from streams.serving.client_errors import BadRequestError, InvalidError, NotFoundError, NotVisibleYetError
from streams.serving.facades import MemoryExEx, MemoryFilter, Monitoring, RagExEx
from streams.serving.ops.exports import exported
from streams.serving.ops.series import HIT_RATE, RECORDS
from streams.serving.progress import Standing
from tests.identity import OPERATOR_TOKEN
from tests.steps import step_undo
from tests.unit.serving.ops.said import NOW, counter, gauge, health, metrics
from tests.unit.serving.served import served
from tests.unit.serving.world import ALICE, BOB, CHAIN_ID, World, upsert

AGENT = "0x" + ALICE.hex()
T = TypeVar("T")


@pytest.fixture
async def client(world: World) -> AsyncIterator[Client]:
    async with served(create_app(world.services)) as url:
        with Client(url, token=OPERATOR_TOKEN) as made:
            yield made


async def off(call: Callable[[], T]) -> T:
    """A blocking call beside the gateway's loop."""
    return await asyncio.to_thread(call)


async def texts(memory: MemoryExEx, **wanted: Any) -> list[str | bytes]:
    return [found.content for found in await off(lambda: memory.retrieve(AGENT, MemoryFilter(**wanted)))]


def printed(at: BlockRef | None, index: int = 0) -> dict[str, Any]:
    """A transaction of ALICE as a node prints it."""
    place: dict[str, Any] = {"blockHash": None, "blockNumber": None, "transactionIndex": None}
    if at is not None:
        place = {"blockHash": "0x" + at.hash.hex(), "blockNumber": hex(at.number), "transactionIndex": hex(index)}
    return {"from": AGENT, "to": "0x" + "33" * 20, "value": hex(10**18), "input": "0x", "chainId": hex(CHAIN_ID), **place}


async def test_what_is_stored_is_retrieved_and_exported(world: World, client: Client) -> None:
    memory = MemoryExEx(client)
    receipt = await off(lambda: memory.store(AGENT, "prefers low slippage", importance=0.9, tags=["taste"]))
    assert receipt.visible
    assert (await off(lambda: memory.store_memory(ALICE, b"\x00\xff"))).visible
    found = await off(lambda: memory.retrieve(AGENT))
    assert {each.content for each in found} == {"prefers low slippage", b"\x00\xff"}
    (taste,) = await off(lambda: memory.retrieve(AGENT, MemoryFilter(tags=["taste"])))
    assert (taste.memory_id, taste.importance, taste.tags, taste.score) == (receipt.memory_id, 0.9, ("taste",), None)
    await world.publish(ALICE)
    for form in ("lines", "avro"):
        package = read_any(await off(lambda form=form: memory.export(AGENT, form)))
        assert {each["content"] for each in package.memories} == {b"prefers low slippage", b"\x00\xff"}
    with pytest.raises(InvalidError):
        await off(lambda: memory.store(AGENT, "x", type="DREAM"))


async def test_every_filter_and_order(world: World, client: Client) -> None:
    ref, memory = world.grow(), MemoryExEx(client)
    await world.remember(
        upsert(ALICE, ref, 0, "swapped eth for dai", importance=0.1, timestamp=100),
        upsert(ALICE, ref, 1, "swapped dai for usdc", importance=0.9, timestamp=200),
        upsert(ALICE, ref, 2, "voted yes", importance=0.5, timestamp=300),
        upsert(BOB, ref, 3, "swapped eth of bob", importance=0.5, timestamp=300),
    )
    newest = ["voted yes", "swapped dai for usdc", "swapped eth for dai"]
    assert await texts(memory) == newest
    assert await texts(memory, sort="oldest") == newest[::-1]
    assert await texts(memory, sort="oldest", limit=1) == newest[2:]
    assert await texts(memory, limit=2) == newest[:2]
    assert await texts(memory, types=["SEMANTIC"]) == []
    assert await texts(memory, types=["EPISODIC"], min_importance=0.5) == newest[:2]
    assert await texts(memory, tags=["none"]) == []
    assert await texts(memory, max_age=60) == []
    assert await texts(memory, time_range=(150, 250)) == newest[1:2]
    assert await texts(memory, time_range=(None, 250), sort="oldest") == newest[:0:-1]
    best = await off(lambda: memory.retrieve(AGENT, MemoryFilter(sort="relevance", query="swapped eth", limit=2)))
    assert [each.content for each in best] == ["swapped eth for dai", "swapped dai for usdc"]
    assert best[0].score is not None and best[1].score is not None and best[0].score > best[1].score
    about = {"sort": "relevance", "query": "swapped eth"}
    assert await texts(memory, min_importance=0.8, **about) == ["swapped dai for usdc"]
    assert await texts(memory, time_range=(None, 150), **about) == ["swapped eth for dai"]
    assert await texts(memory, max_age=60, **about) == []


@pytest.mark.parametrize("wrong", [{"sort": "relevance"}, {"query": "x"}, {"max_age": 1, "time_range": (1, None)}])
def test_filters_that_contradict_themselves_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give"):
        MemoryFilter(**wrong)


async def test_a_transaction_is_read_and_its_memory_awaited(world: World, client: Client) -> None:
    rag = RagExEx(client)
    pending = await off(lambda: rag.process_transaction(printed(None)))
    assert pending.memory is None and pending.intent.intent
    base, ref = world.blocks[-1], world.grow()
    with pytest.raises(NotVisibleYetError):
        await off(lambda: rag.process_transaction(printed(ref), wait=0.05))
    await world.remember(upsert(ALICE, ref, 0, "sent 1 ETH"))
    for name in ("memory", "embedding"):
        world.progress.standings[name] = Standing({}, ref)
    done = await off(lambda: rag.process_transaction(printed(ref)))
    assert done.memory is not None and done.memory.text == "sent 1 ETH"
    assert done.intent == pending.intent == await off(lambda: rag.parse_intent(printed(ref)))
    with pytest.raises(NotFoundError):
        await off(lambda: rag.process_transaction(printed(ref, 7)))
    world.chain.pending.append(step_undo(2, [ref], base))
    with pytest.raises(NotVisibleYetError, match="undone"):
        await off(lambda: rag.process_transaction(printed(ref), wait=0.05))
    for wrong in ({"chainId": None}, {"transactionIndex": "x"}):
        with pytest.raises(BadRequestError, match="where it lies"):
            await off(lambda wrong=wrong: rag.process_transaction({**printed(ref), **wrong}))


async def test_questions_and_vectors(world: World, client: Client) -> None:
    rag = RagExEx(client)
    await world.remember(upsert(ALICE, world.grow(), 0, "swapped eth for dai"))
    assert [item.text for item in (await off(lambda: rag.query_context(AGENT, "swapped eth", 3))).items] == [
        "swapped eth for dai"
    ]
    vector = await off(lambda: rag.generate_embedding("swapped eth"))
    assert vector == pytest.approx(world.embedder.embed(["swapped eth"])[0].tolist())


async def test_monitoring_says_what_is_measured_and_nothing_of_what_is_not(world: World, client: Client) -> None:
    monitoring = Monitoring(client)
    assert (await off(monitoring.get_metrics)).system_health_score is None
    world.board.take_health(health("worker", NOW), NOW)
    world.board.take_metrics(metrics("worker", NOW, gauge(HIT_RATE, 0.75), counter(RECORDS, 12)), NOW)
    world.board.advance(NOW)
    found, performance = await off(monitoring.get_metrics), await off(monitoring.get_performance_metrics)
    assert (found.system_health_score, found.healthy_components, found.average_response_time_ms) == (1.0, 1, None)
    assert (performance.cache_hit_rate, performance.total_messages_processed, performance.average_latency_ms) == (
        0.75,
        12,
        None,
    )
    for name in ("json", "csv", "html"):
        state = world.dashboard.state()
        assert await off(lambda name=name: monitoring.export_dashboard_data(name)) == exported(state, name)  # type: ignore[misc]


async def test_alerts_and_their_history(world: World, client: Client) -> None:
    monitoring = Monitoring(client)
    for at_ms, name, state in ((1_000, "Slow", "firing"), (2_000, "Down", "firing"), (3_000, "Slow", "resolved")):
        record = AlertRecord(name, {}, "warning", state, at_ms, 1.0, f"[{state}] {name}")
        world.board.take_alert(record.key, record)
    assert [alert.rule for alert in await off(monitoring.alerts)] == ["Down"]
    assert [(alert.rule, alert.state) for alert in await off(monitoring.history)] == [("Slow", "resolved"), ("Down", "firing")]
