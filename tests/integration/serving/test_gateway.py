"""What a whole gateway on a real broker answers and takes, spoken to by its own clients."""

from __future__ import annotations

import asyncio
from typing import Any, get_args

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.partitioner import murmur2

from schemas.codec import codec
from schemas.records import StandingGrant
from streams.agents.access import nothing_granted
from streams.serving.client import AsyncClient, Client
from streams.serving.client_errors import GatewayError, NotSettledError, NotVisibleYetError
from streams.serving.commands import forget_command
from streams.serving.facades import MemoryExEx, MemoryFilter, RagExEx
from streams.serving.wire import Receipt
from streams.serving.wire.standing import HealthStatus
from streams.serving.write_token import Write
from streams.settings import Settings
from streams.topics import COMMANDS, physical
from tests.identity import operator_token
from tests.integration.serving.live import AGENT, FIRST, GENESIS, OTHER, Live
from tests.serving_fakes import fact_of
from tests.steps import step_new, step_undo
from tests.unit.serving.world import ALICE, BOB, CHAIN_ID, upsert

pytestmark = pytest.mark.kafka


async def test_row_of_an_undone_block_never_appears_though_the_stores_hold_it(live: Live) -> None:
    fact, twin = upsert(ALICE, FIRST, 0, "swapped eth for dai"), upsert(ALICE, OTHER, 0, "swapped eth for usdc")
    await live.writer.steps(step_new(0, GENESIS), step_new(1, FIRST))
    await live.remember(fact, twin)  # the stores are ahead: OTHER is in them, and not in the log yet
    async with AsyncClient(live.gateway.url, token=operator_token(live.settings)) as client:

        async def seen() -> set[str]:
            context = await client.query_context(AGENT, "swapped eth", 10)
            listed = await client.retrieve(AGENT)
            texts = {item.text for item in context.items}
            assert texts == {item.text for item in listed.items}
            return texts

        assert await seen() == {"swapped eth for dai"}
        async with live.writer.open_transaction(step_undo(2, [FIRST], GENESIS)):
            assert await seen() == {"swapped eth for dai"}
        assert await seen() == set()
        with pytest.raises(GatewayError, match="no live memory") as refused:
            await client.get(AGENT, fact["memory_id"])
        assert refused.value.status == 404
        await live.writer.steps(step_new(3, OTHER))
        assert await seen() == {"swapped eth for usdc"}
        await live.writer.steps(step_undo(4, [OTHER], GENESIS), step_new(5, FIRST))
        assert await seen() == {"swapped eth for dai"}
        state = await client.chain()
        assert (state.reorg_count, [reorg.depth for reorg in state.reorgs]) == (2, [1, 1])


async def test_a_read_waits_for_its_own_write_and_for_a_block(live: Live) -> None:
    await live.writer.steps(step_new(0, GENESIS), step_new(1, FIRST))
    async with AsyncClient(live.gateway.url, token=operator_token(live.settings), retries=0) as client:
        receipts = [await client.store(AGENT, f"likes tea {n}", timestamp=n) for n in range(3)]
        commands = await sent_commands(live.settings, 3)
        for receipt, (record, command) in zip(receipts, commands, strict=True):
            write = live.gateway.services.waits.tokens.write_of(ALICE, receipt.write_token)
            assert (write.command_id, write.partition, write.offset) == (command["id"], record.partition, record.offset)
        with pytest.raises(NotVisibleYetError):
            await client.query_context(AGENT, "likes tea", wait_for=receipts[2].write_token, wait=0.1)
        asking = asyncio.create_task(client.query_context(AGENT, "likes tea", wait_for=receipts[2].write_token, wait=20))
        await live.remember(*(fact_of(command) for _, command in commands))
        assert {item.text for item in (await asking).items} == {f"likes tea {n}" for n in range(3)}

        partition = commands[0][0].partition
        with pytest.raises(NotVisibleYetError, match="memory agent has not taken it in"):
            await client.retrieve(AGENT, wait_for_block=1, wait=0.1)
        asking_list = asyncio.create_task(client.retrieve(AGENT, wait_for_block="0x" + FIRST.hash.hex(), wait=20))
        await live.remember(upsert(ALICE, FIRST, 0, "swapped eth"))
        await live.writer.tips(partition, {COMMANDS: commands[2][0].offset + 1}, FIRST)
        assert "swapped eth" in {item.text for item in (await asking_list).items}
        poison = {**forget_command(ALICE, bytes(16), bytes(32), 1), "memory_id": None}
        refused = await live.gateway.services.commands.send(poison)
        await live.writer.tips(partition, {COMMANDS: refused.offset + 1}, FIRST)
        token = live.gateway.services.waits.tokens.token_of(ALICE, Write(bytes(16), bytes(32), *refused))
        with pytest.raises(NotSettledError, match="holds nothing of it"):
            await client.retrieve(AGENT, wait_for=token)


async def sent_commands(settings: Settings, count: int) -> list[tuple[Any, Any]]:
    """Records of memory.commands, in order, with the commands in them."""
    consumer = AIOKafkaConsumer(
        physical(settings.kafka.prefix, COMMANDS),
        bootstrap_servers=settings.kafka.bootstrap,
        auto_offset_reset="earliest",
    )
    found: list[tuple[Any, Any]] = []
    await consumer.start()
    try:
        async with asyncio.timeout(20):
            while len(found) < count:
                record = await consumer.getone()
                found.append((record, codec().decode(record.value)[1]))
    finally:
        await consumer.stop()
    return found


async def test_the_facades_on_a_live_gateway(live: Live) -> None:
    """What a facade stores is in the log, and what it retrieves is what the stream agents made of it."""
    await live.writer.steps(step_new(0, GENESIS), step_new(1, FIRST))

    def stored() -> Receipt:
        with Client(live.gateway.url, token=operator_token(live.settings)) as client:
            return MemoryExEx(client).store(AGENT, "likes tea", tags=["taste"])

    storing = asyncio.create_task(asyncio.to_thread(stored))
    ((record, command),) = await sent_commands(live.settings, 1)
    await live.remember(fact_of(command), upsert(ALICE, FIRST, 0, "sent 1 ETH"))
    await live.writer.tips(record.partition, {COMMANDS: record.offset + 1}, FIRST)
    assert (await storing).visible
    transaction = {"from": AGENT, "to": "0x" + "33" * 20, "value": "0x1", "input": "0x", "chainId": hex(CHAIN_ID)}
    mined = {**transaction, "blockHash": "0x" + FIRST.hash.hex(), "transactionIndex": "0x0"}

    def read() -> tuple[list[Any], list[Any], Any]:
        with Client(live.gateway.url, token=operator_token(live.settings)) as client:
            memory, rag = MemoryExEx(client), RagExEx(client)
            best = MemoryFilter(sort="relevance", query="likes tea", limit=1)
            return (
                memory.retrieve(AGENT, MemoryFilter(sort="oldest")),
                memory.retrieve(AGENT, best),
                rag.process_transaction(mined),
            )

    oldest, best, processed = await asyncio.to_thread(read)
    assert [each.content for each in oldest] == ["sent 1 ETH", "likes tea"]
    assert [each.content for each in best] == ["likes tea"]
    assert processed.memory.text == "sent 1 ETH"


async def test_one_question_to_all_that_was_granted_until_it_is_taken_back(live: Live) -> None:
    grant: StandingGrant = {"grantee": ALICE, "rights": ["read"], "namespace": "swap", "until": None, "since": 7}
    await live.writer.steps(step_new(0, GENESIS), step_new(1, FIRST))
    await live.remember(upsert(ALICE, FIRST, 0, "swapped eth of alice"), upsert(BOB, FIRST, 1, "swapped eth of bob"))
    async with AsyncClient(live.gateway.url, token=operator_token(live.settings)) as client:

        async def seen() -> set[str]:
            return {item.text for item in (await client.query_shared(AGENT, "swapped eth")).items}

        assert await seen() == {"swapped eth of alice"}
        await live.writer.access({**nothing_granted(BOB), "grants": [grant]})
        assert await seen() == {"swapped eth of alice", "swapped eth of bob"}
        await live.writer.access({**nothing_granted(BOB), "grants": [{**grant, "rights": [], "since": 8}]})
        assert await seen() == {"swapped eth of alice"}


async def test_readers_beside_a_stream_of_reorgs_see_one_branch_at_a_time(live: Live) -> None:
    """Every answer holds exactly the memories of one branch, and of the branch that stood at the call or later."""
    branches = [FIRST, OTHER]
    await live.writer.steps(step_new(0, GENESIS), step_new(1, FIRST))
    await live.remember(*(upsert(ALICE, ref, i, f"branch {n} item {i}") for n, ref in enumerate(branches) for i in range(3)))
    done = asyncio.Event()

    answered: list[object] = []

    async def reorganise() -> None:
        sequence = 2
        for turn in range(300):
            if turn >= 15 and len(answered) > 15:  # a busy machine answers fewer in the same time
                break
            old, new = branches[turn % 2], branches[(turn + 1) % 2]
            await live.writer.steps(step_undo(sequence, [old], GENESIS), step_new(sequence + 1, new))
            sequence += 2
        done.set()

    async def read(client: AsyncClient) -> None:
        while not done.is_set():
            items = (await client.query_context(AGENT, "branch item", 10)).items
            assert len({item.text.split()[1] for item in items}) == 1, [item.text for item in items]
            assert len(items) == 3
            answered.append(items)

    async with AsyncClient(live.gateway.url, token=operator_token(live.settings)) as client:
        await asyncio.gather(reorganise(), *(read(client) for _ in range(3)))
    assert len(answered) > 15


async def test_both_clients_say_the_same(live: Live) -> None:
    facts = [upsert(ALICE, FIRST, i, f"memory {i}", importance=i / 10) for i in range(4)]
    await live.writer.steps(step_new(0, GENESIS), step_new(1, FIRST))
    await live.remember(*facts, upsert(BOB, FIRST, 9, "memory of bob"))
    await live.publish(facts, step_new(1, FIRST))

    def everything() -> list[Any]:
        with Client(live.gateway.url, token=operator_token(live.settings)) as client:
            one = client.get(ALICE, facts[0]["memory_id"])
            return [
                client.query_context(AGENT, "memory 2", 2),
                client.retrieve(AGENT, min_importance=0.15, types=["EPISODIC"], tags=["swap"]),
                one,
                client.root(AGENT),
                client.proof(AGENT, facts[0]["memory_id"], memory=one),
                client.proof(AGENT, bytes(32)),
                client.chain(),
                client.health().status in get_args(HealthStatus),
            ]

    blocking = await asyncio.to_thread(everything)
    async with AsyncClient(live.gateway.url, token=operator_token(live.settings)) as client:
        one = await client.get(ALICE, facts[0]["memory_id"])
        answers = [
            await client.query_context(AGENT, "memory 2", 2),
            await client.retrieve(AGENT, min_importance=0.15, types=["EPISODIC"], tags=["swap"]),
            one,
            await client.root(AGENT),
            await client.proof(AGENT, facts[0]["memory_id"], memory=one),
            await client.proof(AGENT, bytes(32)),
            await client.chain(),
            (await client.health()).status in get_args(HealthStatus),
        ]
    assert blocking == answers
    best = answers[0].items[0]
    assert (best.memory_id, best.block) == ("0x" + facts[2]["memory_id"].hex(), best.citation.block)
    assert best.block.hash == "0x" + FIRST.hash.hex()
    assert {item.text for item in answers[1].items} == {"memory 2", "memory 3"}
    assert answers[3].count == 4
    assert (answers[4].present, answers[5].present) == (True, False)
    assert answers[7], "how well a machine is that also runs other tests is not said here"


async def test_commands_reach_the_log_in_their_agents_partition(live: Live) -> None:
    await live.writer.steps(step_new(0, GENESIS))
    settings = live.settings.kafka
    consumer = AIOKafkaConsumer(
        physical(settings.prefix, COMMANDS), bootstrap_servers=settings.bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()

    async def memory_agent() -> list[Any]:
        records = []
        while len(records) < 3:
            record = await consumer.getone()
            records.append(record)
            await live.remember(fact_of(codec().decode(record.value)[1]))
        return records

    agent = asyncio.create_task(memory_agent())
    try:
        async with AsyncClient(live.gateway.url, token=operator_token(live.settings)) as client:
            first = await client.store(ALICE, "likes tea", tags=["taste"], importance=0.9, wait=15)
            await client.store(BOB, b"\x00\xff", media_type="application/x-odd", wait=0)
            assert first.visible
            assert (await client.get(ALICE, first.memory_id)).text == "likes tea"
            assert [item.text for item in (await client.query_context(ALICE, "likes tea")).items] == ["likes tea"]
            gone = await client.forget(ALICE, first.memory_id, wait=15)
            assert gone.visible
            assert (await client.retrieve(ALICE)).items == []
        records = await asyncio.wait_for(agent, 20)
    finally:
        agent.cancel()
        await consumer.stop()
    assert [record.key for record in records if record.key == ALICE] == [ALICE, ALICE]
    assert all(record.partition == (murmur2(record.key) & 0x7FFFFFFF) % settings.partitions for record in records)
