"""A whole gateway on a real broker and the embedded stores, spoken to by its own clients and command line."""

from __future__ import annotations

import asyncio
import json
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.partitioner import murmur2
from click.testing import CliRunner

from connectors.chain.memory_root import set_root_call
from connectors.stores import LmdbMemoryStore, LmdbVectorStore
from schemas.codec import codec
from schemas.records import MemoryFact, StandingGrant
from streams.agents.access import nothing_granted
from streams.cli.memory import memory
from streams.cli.proof import proof
from streams.cli.proof_anchored import anchor as proof_anchor
from streams.cli.query import query, root
from streams.core.canonical import ChainStep
from streams.core.leaf import tree_of
from streams.errors import ConfigurationError
from streams.ports.stores import VectorRow
from streams.serving.client import AsyncClient, Client
from streams.serving.client_errors import GatewayError, NotSettledError, NotVisibleYetError
from streams.serving.commands import forget_command
from streams.serving.facades import MemoryExEx, MemoryFilter, RagExEx
from streams.serving.roots import Root
from streams.serving.server import Gateway, Stores
from streams.serving.verify import ProofRefusedError, verify_proof
from streams.serving.wire import Receipt, text_of
from streams.serving.write_token import Write
from streams.settings import Settings
from streams.signing import Verifier
from streams.topics import COMMANDS, physical
from streams.vault.sealing import open_keys
from tests.final_logs import published, roots_of
from tests.identity import operator_token
from tests.integration.serving.broker import SIGNER, LogWriter, log_writer
from tests.serving_fakes import FakeEmbedder, fact_of
from tests.steps import block, step_new, step_undo
from tests.unit.serving.world import ALICE, BOB, CHAIN_ID, upsert

pytestmark = pytest.mark.kafka

GENESIS = block(0, 0, bytes(32))
FIRST = block(1, 0, GENESIS.hash)
OTHER = block(1, 1, GENESIS.hash)
AGENT = "0x" + ALICE.hex()


@dataclass
class Live:
    settings: Settings
    gateway: Gateway
    stores: Stores
    writer: LogWriter
    embedder: FakeEmbedder

    async def remember(self, *facts: MemoryFact) -> None:
        """What the stream agents do with facts."""
        await self.stores.memories.apply(facts)
        for fact in facts:
            if fact["memory"] is not None and (text := text_of(fact["memory"])) is not None:
                vector = self.embedder.embed([text])[0]
                await self.stores.vectors.upsert([VectorRow(fact["owner"], fact["memory_id"], vector)])

    async def publish(self, facts: list[MemoryFact], at: ChainStep) -> None:
        """What the lattice agent says of these memories."""
        keys = open_keys(self.settings)
        tree = tree_of(keys.leaf_secret(ALICE), [fact["memory"] for fact in facts if fact["memory"]])
        await self.writer.root(ALICE, Root(ALICE, len(facts), b"\x09" * 32, tree.root, at.head))


def with_free_ports(settings: Settings) -> Settings:
    settings.gateway.port = settings.gateway.metrics_port = 0
    settings.gateway.proof_seconds = 0.5
    settings.health.providers = ["broker", "stores", "disk"]  # the machine itself may be busy with other tests
    return settings


@pytest.fixture
async def live(kafka_settings: Settings) -> AsyncIterator[Live]:
    settings = with_free_ports(kafka_settings)
    embedder = FakeEmbedder()
    stores = Stores(
        LmdbMemoryStore(settings.path(settings.memory.db_path)),
        LmdbVectorStore(settings.path(settings.state_dir / "vectors"), dimension=embedder.dimension),
    )
    gateway = Gateway(settings, stores, embedder, Verifier([SIGNER.public]))
    async with log_writer(settings.kafka) as writer:
        await gateway.start()
        yield Live(settings, gateway, stores, writer, embedder)
        await gateway.stop()
    await stores.memories.close()
    await stores.vectors.close()


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
                client.health().status,
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
            (await client.health()).status,
        ]
    assert blocking == answers
    best = answers[0].items[0]
    assert (best.memory_id, best.block) == ("0x" + facts[2]["memory_id"].hex(), best.citation.block)
    assert best.block.hash == "0x" + FIRST.hash.hex()
    assert {item.text for item in answers[1].items} == {"memory 2", "memory 3"}
    assert answers[3].count == 4
    assert (answers[4].present, answers[5].present) == (True, False)
    assert answers[7] == "healthy"


async def test_client_refuses_proofs_that_show_something_else(live: Live) -> None:
    facts = [upsert(ALICE, FIRST, i, f"memory {i}") for i in range(3)]
    await live.writer.steps(step_new(0, GENESIS), step_new(1, FIRST))
    await live.remember(*facts)
    await live.publish(facts, step_new(1, FIRST))
    async with AsyncClient(live.gateway.url, token=operator_token(live.settings)) as client:
        one, two = [await client.get(ALICE, fact["memory_id"]) for fact in facts[:2]]
        answer = await client.proof(ALICE, facts[0]["memory_id"])
        with pytest.raises(ProofRefusedError, match="not the one published or trusted"):
            await client.proof(ALICE, facts[0]["memory_id"], root="0x" + "00" * 32)
        context = await client.query_context(ALICE, "memory", min_similarity=-1, proofs=True, root=answer.root.merkle_root)
        assert len(context.items) == len(facts)
        with pytest.raises(ProofRefusedError, match="trusted"):
            await client.query_context(ALICE, "memory", min_similarity=-1, proofs=True, root="0x" + "00" * 32)
    verify_proof(answer, one)
    siblings = [("00" if s[:2] != "00" else "11") + s[2:] for s in answer.proof["siblings"]]
    for wrong, about, message in (
        (answer, two, "is not about memory"),
        (answer, one.model_copy(update={"text": "never happened"}), "is not about memory"),
        (answer, one.model_copy(update={"importance": 0.9}), "is not about memory"),
        (answer.model_copy(update={"opening": "0x" + "00" * 32}), one, "is not about memory"),
        (answer.model_copy(update={"present": False}), None, "shows the opposite"),
        (
            answer.model_copy(update={"root": answer.root.model_copy(update={"merkle_root": "0x" + "00" * 32})}),
            None,
            "not the one",
        ),
        (answer.model_copy(update={"proof": {**answer.proof, "siblings": siblings}}), None, "does not hold"),
        (answer.model_copy(update={"proof": {}}), None, "holds no proof"),
    ):
        with pytest.raises(ProofRefusedError, match=message):
            verify_proof(wrong, about)


async def test_logs_of_final_states_are_proved_also_by_a_gateway_started_later(live: Live) -> None:
    records = published(1, 7)
    roots = roots_of(records)
    await live.writer.entries(records[:4])
    async with AsyncClient(live.gateway.url, token=operator_token(live.settings)) as client:
        known = await client.log(1)
        assert (known.size, known.root) == (4, roots[3])
        await live.writer.entries(records[4:])
        assert (await client.log_consistency(1, known.size, known.root)).root == roots[6]
    later = Gateway(live.settings, live.stores, live.embedder, Verifier([SIGNER.public]))
    await later.start()
    try:
        with Client(later.url, token=operator_token(live.settings)) as blocking:
            assert await asyncio.to_thread(blocking.logs) == await asyncio.to_thread(blocking.logs)
            grown = await asyncio.to_thread(blocking.log_consistency, 1, known.size, known.root)
            assert (grown.size, grown.root) == (7, roots[6])
            assert (await asyncio.to_thread(blocking.log_entry, 1, 2, 7, roots[6])).entry.index == 2
            with pytest.raises(GatewayError, match="never had 4 entries"):
                await asyncio.to_thread(blocking.log_consistency, 1, 4, roots[4])
        await _prove_by_command_line(live.settings, later.url, roots)
    finally:
        await later.stop()


async def _prove_by_command_line(settings: Settings, url: str, roots: list[str]) -> None:
    saved = str(settings.state_dir / "grown.json")

    async def run(*arguments: str) -> str:
        ran = await asyncio.to_thread(
            CliRunner().invoke, proof, [*arguments, "--gateway", url], obj=settings, catch_exceptions=False
        )
        assert ran.exit_code == 0, ran.output
        return ran.output

    assert f"1 7 {roots[6]}" in await run("logs")
    assert "yes: state" in await run("entry", "1", "3", "--size", "5", "--root", roots[4])
    assert "begins with" in await run("consistency", "1", "4", roots[3], "-o", saved)
    assert CliRunner().invoke(proof, ["verify", saved, "--root", roots[6]]).exit_code == 0
    assert CliRunner().invoke(proof, ["verify", saved, "--root", roots[5]]).exit_code == 1
    with pytest.raises(GatewayError, match="never had 5 entries"):
        await run("consistency", "1", "5", roots[3])


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


async def healthy(client: AsyncClient) -> None:
    """Waits for it: a graph that is still being read does not stop answers, and says so."""
    async with asyncio.timeout(20):
        while (await client.health()).status != "healthy":
            await asyncio.sleep(0.2)


async def test_metrics_endpoint_moves_with_events(live: Live) -> None:
    await live.writer.steps(step_new(0, GENESIS), step_new(1, FIRST, final=GENESIS, transactions=3))

    def scrape() -> dict[str, float]:
        with urllib.request.urlopen(live.gateway.metrics_url, timeout=10) as response:
            lines = response.read().decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))}

    async with AsyncClient(live.gateway.url, token=operator_token(live.settings)) as client:
        await client.chain()
        before = await asyncio.to_thread(scrape)
        await client.query_context(ALICE, "anything")
        await client.query_context(ALICE, "anything")
        await live.writer.steps(step_undo(2, [FIRST], GENESIS))
        await client.chain()
        await healthy(client)
    after = await asyncio.to_thread(scrape)
    assert after["monmouth_rag_queries_total"] == before["monmouth_rag_queries_total"] + 2
    assert after["monmouth_chain_reorgs_total"] == before["monmouth_chain_reorgs_total"] + 1
    assert (before["monmouth_chain_head_block"], after["monmouth_chain_head_block"]) == (1, 0)
    assert after["monmouth_uptime_seconds"] > before["monmouth_uptime_seconds"]
    assert after["monmouth_memory_usage_mb"] > 10
    assert 0 < after["monmouth_disk_usage_percent"] <= 100
    assert after["monmouth_system_health_score"] == 1
    assert after['monmouth_cache_hit_rate{cache="query_vectors"}'] == 0.5
    route = 'monmouth_http_request_latency_ms_count{method="POST",route="/v1/agents/{agent}/query",status="200"}'
    assert after[route] == before.get(route, 0) + 2


async def test_closed_store_shows_in_health_and_readiness(live: Live) -> None:
    await live.writer.steps(step_new(0, GENESIS))
    async with AsyncClient(live.gateway.url, token=operator_token(live.settings)) as client:
        await healthy(client)
        await live.stores.vectors.close()
        await asyncio.sleep(1.1)  # older than what the probes may remember
        health = await client.health()
    assert health.components["vector_store"].status == "failed"
    assert health.components["memory_store"].status == "healthy"
    assert health.status == "failed"


async def test_probes_beside_the_metrics_tell_a_store_that_is_gone(live: Live) -> None:
    def get(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{live.gateway.metrics_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    async def until(path: str, status: int) -> str:
        async with asyncio.timeout(20):
            while (found := await asyncio.to_thread(get, path))[0] != status:
                await asyncio.sleep(0.1)
        return found[1]

    await live.writer.steps(step_new(0, GENESIS))
    for path in ("/livez", "/startupz", "/readyz"):
        await until(path, 200)
    await live.stores.vectors.close()
    assert "vector_store" in await until("/readyz", 503)
    await until("/startupz", 200)
    await until("/livez", 200)


async def test_forged_step_stops_every_answer(live: Live) -> None:
    await live.writer.steps(step_new(0, GENESIS))
    async with AsyncClient(live.gateway.url, token=operator_token(live.settings)) as client:
        await client.retrieve(ALICE)
        await live.writer.steps(step_new(5, FIRST))
        await asyncio.sleep(1.1)  # older than what the probes may remember
        with pytest.raises(GatewayError, match="where 1 was due") as refused:
            await client.retrieve(ALICE)
        assert refused.value.status == 503
        assert (await client.health()).components["chain_view"].status == "failed"


async def test_busy_ports_are_errors_with_a_hint(live: Live) -> None:
    settings = live.settings.model_copy(deep=True)
    for name, port in (("port", live.gateway.port), ("metrics_port", live.gateway.metrics_port)):
        settings.gateway.port = settings.gateway.metrics_port = 0
        setattr(settings.gateway, name, port)
        second = Gateway(settings, live.stores, live.embedder, Verifier([SIGNER.public]))
        with pytest.raises(ConfigurationError, match=f"{name.upper()} to a free one") as refused:
            await second.start()
        await second.stop()
        assert "in use" in refused.value.message


async def test_no_gateway_is_an_error_that_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}") as client, pytest.raises(GatewayError, match="no answer"):
        client.health()
    async with AsyncClient(f"http://127.0.0.1:{port}") as other:
        with pytest.raises(GatewayError, match="no answer"):
            await other.health()
    with pytest.raises(GatewayError, match="not the address"):
        Client("localhost:8080")


async def test_command_line(live: Live) -> None:
    facts = [upsert(ALICE, FIRST, i, text) for i, text in enumerate(["swapped eth for dai", "voted on the treasury"])]
    await live.writer.steps(step_new(0, GENESIS), step_new(1, FIRST))
    await live.remember(*facts)
    await live.publish(facts, step_new(1, FIRST))
    memory_id = "0x" + facts[0]["memory_id"].hex()

    async def run(command: Any, *arguments: str) -> str:
        result = await asyncio.to_thread(
            CliRunner().invoke, command, [*arguments, "--gateway", live.gateway.url], obj=live.settings, catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
        return result.output

    assert "swapped eth for dai" in await run(query, AGENT, "swapped eth")
    assert json.loads(await run(query, AGENT, "swapped eth", "--json"))["items"][0]["text"] == "swapped eth for dai"
    assert "voted on the treasury" in await run(memory, "list", AGENT)
    assert "EPISODIC" in await run(memory, "get", AGENT, memory_id)
    assert json.loads(await run(root, AGENT, "--json"))["count"] == 2
    assert "the proof holds" in await run(memory, "proof", AGENT, memory_id, "-o", str(live.settings.state_dir / "proof.json"))
    anchor = await run(proof_anchor, AGENT)
    assert set_root_call(bytes.fromhex(json.loads(await run(root, AGENT, "--json"))["merkle_root"][2:])).hex() in anchor
    assert "absent" in await run(memory, "proof", AGENT, "0x" + "00" * 32)
    assert "accepted" in await run(memory, "store", AGENT, "kept", "--wait", "0")
    assert "accepted" in await run(memory, "forget", AGENT, memory_id, "--wait", "0")
    saved = str(live.settings.state_dir / "proof.json")
    checked = CliRunner().invoke(
        proof, ["verify", saved, "--root", json.loads(await run(root, AGENT, "--json"))["merkle_root"]]
    )
    assert checked.exit_code == 0, checked.output
