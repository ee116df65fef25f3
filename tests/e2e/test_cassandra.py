"""The whole pipeline with its memories in a real Cassandra: the oracle's answers, through reorgs and a crash of the node."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import defaultdict
from contextlib import AsyncExitStack

import pytest

from connectors.chain.devchain import Step
from connectors.chain.devchain.steps import StepKind
from connectors.stores import open_memory_store, open_vector_store
from infra.cassandra import CassandraNode
from streams.ports.stores import MemoryFilter, MemoryStore
from streams.serving.client import AsyncClient
from streams.serving.server import Gateway, Stores
from streams.settings import CassandraSettings, Settings
from streams.signing import load_or_create_signer, load_verifier
from streams.vault.sealing import sealed_records
from tests.e2e.expected import Expected, said
from tests.e2e.fake_embedder import HashEmbedder
from tests.e2e.pipeline import Small, small
from tests.identity import operator_token

pytestmark = [pytest.mark.kafka, pytest.mark.cassandra]
NAMES = ("memory", "lattice")
MOST = 500


def everything(_: bytes) -> bool:
    return True


def step(pipeline: Small, kind: StepKind, depth: int) -> None:
    for _ in pipeline.node.apply(Step(kind, depth)):
        pass
    pipeline.advance()


async def listed(store: MemoryStore, expected: Expected) -> None:
    """By time, by type and by importance the store says what the oracle holds, newest first, and not a row more."""
    of = defaultdict(list)
    for key in expected.live:
        of[key[:20]].append(expected.memories[key])
    assert [agent async for agent in store.agents()] == sorted(of)
    for agent, memories in of.items():
        newest = sorted(memories, key=lambda m: (m["timestamp"], m["id"]), reverse=True)
        for wanted in (
            MemoryFilter(limit=MOST),
            MemoryFilter(limit=MOST, types=frozenset({"SEMANTIC", "WORKING"})),
            MemoryFilter(limit=MOST, min_importance=0.65),
        ):
            assert [said(memory) for memory in await store.query(agent, wanted, everything)] == [
                memory
                for memory in newest
                if (wanted.types is None or memory["type"] in wanted.types)
                and memory["importance"] >= wanted.min_importance
                and memory["form"] in wanted.forms
                and wanted.in_place(memory)
            ]


async def test_reorgs_leave_no_row_and_the_gateway_says_what_the_oracle_does(
    kafka_settings: Settings, cassandra_settings: CassandraSettings
) -> None:
    settings = kafka_settings.model_copy(update={"cassandra": cassandra_settings})
    settings.gateway.port = settings.gateway.metrics_port = 0
    async with small(settings, NAMES, blocks=6) as pipeline, AsyncExitStack() as stack:
        await pipeline.agree()
        for kind, depth in ((StepKind.REORG, 3), (StepKind.FLIP, 2), (StepKind.NESTED, 2), (StepKind.LOWER, 2)):
            step(pipeline, kind, depth)
            expected = await pipeline.agree()
        assert len(pipeline.seen.reorgs) >= 3 and len(expected.live) > 20
        stack.enter_context(sealed_records(settings))
        stores = Stores(open_memory_store(settings), open_vector_store(settings))
        stack.push_async_callback(stores.memories.close)
        stack.push_async_callback(stores.vectors.close)
        await listed(stores.memories, expected)
        signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
        verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
        gateway = Gateway(settings, stores, HashEmbedder(), verifier)
        await gateway.start()
        stack.push_async_callback(gateway.stop)
        async with AsyncClient(gateway.url, token=operator_token(settings)) as client:
            for agent in {key[:20] for key in expected.live}:
                found = await client.retrieve("0x" + agent.hex(), limit=MOST)
                shown = {bytes.fromhex(item.id.removeprefix("0x")) for item in found.items}
                assert shown == {key[20:] for key in expected.live if key[:20] == agent}


async def test_the_pipeline_waits_for_a_node_that_hung_or_died_and_goes_on(
    kafka_settings: Settings, cassandra: CassandraNode, cassandra_settings: CassandraSettings
) -> None:
    said = cassandra_settings.model_copy(update={"timeout_seconds": 1.5})
    settings = kafka_settings.model_copy(update={"cassandra": said})
    async with small(settings, NAMES, blocks=4) as pipeline:
        await pipeline.agree()
        assert cassandra.pid is not None
        os.kill(cassandra.pid, signal.SIGSTOP)
        pipeline.advance(2)
        await asyncio.sleep(said.timeout_seconds + 1)
        os.kill(cassandra.pid, signal.SIGCONT)
        pipeline.advance()
        cassandra.kill()
        pipeline.advance(3)
        step(pipeline, StepKind.REORG, 2)
        await asyncio.to_thread(cassandra.start)
        expected = await pipeline.agree()
        assert len(expected.live) > 10
