"""The pipeline with its vectors in a real Milvus: the oracle's vectors and LMDB's hits, through reorgs; grants hold."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from connectors.chain.devchain import Step
from connectors.chain.devchain.steps import StepKind
from connectors.stores import LmdbVectorStore, open_memory_store, open_vector_store
from connectors.stores.milvus import MilvusVectorStore
from infra.milvus import LocalMilvus
from streams.core.canonical_text import canonical_text
from streams.ports.stores import VectorRow, VectorStore
from streams.serving.client import AsyncClient
from streams.serving.server import Gateway, Stores
from streams.settings import Settings
from streams.signing import load_or_create_signer, load_verifier
from streams.vault.sealing import sealed_records
from tests.e2e.expected import Expected
from tests.e2e.fake_embedder import HashEmbedder
from tests.e2e.pipeline import Small, small, working
from tests.identity import operator_token

pytestmark = [pytest.mark.kafka, pytest.mark.milvus]
NAMES = ("memory", "embedding", "lattice")
ALICE, BOB, CAROL = (b"\xa1" * 20, b"\xb0" * 20, b"\xc0" * 20)


class VersionlessStore(LmdbVectorStore):
    """The embedded store where the gateway has to search it as it does Milvus."""

    async def version(self, agent: bytes) -> None:  # type: ignore[override]
        return None

    async def changes(self, agent: bytes, since: object, limit: int) -> None:  # type: ignore[override]
        return None


def step(pipeline: Small, kind: StepKind, depth: int) -> None:
    for _ in pipeline.node.apply(Step(kind, depth)):
        pass
    pipeline.advance()


@asynccontextmanager
async def serving(settings: Settings, vectors: VectorStore) -> AsyncIterator[AsyncClient]:
    async with AsyncExitStack() as stack:
        memories = open_memory_store(settings)
        stack.push_async_callback(memories.close)
        stack.push_async_callback(vectors.close)
        signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
        verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
        gateway = Gateway(settings, Stores(memories, vectors), HashEmbedder(), verifier)
        await gateway.start()
        stack.push_async_callback(gateway.stop)
        yield await stack.enter_async_context(AsyncClient(gateway.url, token=operator_token(settings)))


async def of_the_oracle(folder: Path, expected: Expected) -> VectorStore:
    store = VersionlessStore(folder)
    texts = {key: text for key in expected.live if (text := _text(expected, key)) is not None}
    vectors = HashEmbedder().embed(list(texts.values()))
    await store.upsert([VectorRow(key[:20], key[20:], v) for key, v in zip(texts, vectors, strict=True)])
    return store


async def answers(client: AsyncClient, agents: set[bytes], questions: list[str]) -> list[list[tuple[str, float]]]:
    found = []
    for agent in sorted(agents):
        for question in questions:
            context = await client.query_context("0x" + agent.hex(), question, min_similarity=-1, max_results=15)
            found.append([(item.memory_id, round(item.similarity or 0, 4)) for item in context.items])
    return found


async def test_reorgs_leave_no_stale_answer_and_hits_are_those_of_lmdb(
    kafka_settings: Settings, milvus: LocalMilvus, tmp_path: Path
) -> None:
    settings = kafka_settings
    settings.rag.vector_store_url, settings.rag.vector_collection = milvus.url, f"e2e_{uuid.uuid4().hex[:8]}"
    settings.gateway.port = settings.gateway.metrics_port = 0
    async with small(settings, NAMES, blocks=5) as pipeline:
        await pipeline.agree()
        for kind, depth in ((StepKind.REORG, 3), (StepKind.FLIP, 2)):
            step(pipeline, kind, depth)
            expected = await pipeline.agree()
        with sealed_records(settings):
            agents = {key[:20] for key in expected.live}
            questions = [memory["content"].decode() for memory in list(expected.memories.values())[:4]]
            async with serving(settings, open_vector_store(settings)) as client:
                found = await answers(client, agents, questions)
                await check_own_writes_and_grants(client)
            async with serving(settings, await of_the_oracle(tmp_path / "oracle", expected)) as client:
                assert await answers(client, agents, questions) == found
            shown = {bytes.fromhex(item.removeprefix("0x")) for each in found for item, _ in each}
            assert len(shown) > 10
            assert shown <= {key[20:] for key in expected.live}
    await lose_the_collection(settings)
    async with working(settings, NAMES, HashEmbedder()) as worker:
        await refilled(settings, expected, worker)


async def lose_the_collection(settings: Settings) -> None:
    with sealed_records(settings):
        store = open_vector_store(settings)
        assert isinstance(store, MilvusVectorStore)
        for alias in store._client.list_aliases(store._collection)["aliases"]:
            store._client.drop_alias(alias)
        store._client.drop_collection(store._collection)
        await store.close()


async def refilled(settings: Settings, expected: Expected, worker: asyncio.Task[None]) -> None:
    """The workers notice that the store is another one, and fill it from the log."""
    keys = [(key[:20], key[20:]) for key in expected.live if _text(expected, key) is not None]
    assert keys
    with sealed_records(settings):
        store = open_vector_store(settings)
        try:
            for _ in range(300):
                if all(row is not None for row in await store.find(keys)):
                    return
                assert not worker.done()
                await asyncio.sleep(0.1)
        finally:
            await store.close()
    raise AssertionError("the new collection was not filled")


def _text(expected: Expected, key: bytes) -> str | None:
    memory = expected.memories[key]
    return canonical_text(memory["content"], memory["media_type"])


async def check_own_writes_and_grants(client: AsyncClient) -> None:
    for agent, text, tags in (
        (ALICE, "the reserve lies in the north vault", ["team"]),
        (BOB, "the reserve lies in the south vault", ["team"]),
        (BOB, "the reserve lies in the hidden vault", ["private"]),
        (CAROL, "the reserve lies in the vault of carol", ["team"]),
    ):
        await client.store("0x" + agent.hex(), text, tags=tags, wait=20)
        context = await client.query_context("0x" + agent.hex(), text, min_similarity=-1)
        assert text in {item.text for item in context.items}, "what was waited for is found"
    alice, bob, carol = ("0x" + agent.hex() for agent in (ALICE, BOB, CAROL))

    async def shared() -> set[str]:
        answer = await client.query_shared(alice, "the reserve lies in a vault", min_similarity=-1)
        assert answer.unsearched == []
        return {item.text for item in answer.items}

    own, of_bob, of_carol = (f"the reserve lies in the {place}" for place in ("north vault", "south vault", "vault of carol"))
    assert await shared() == {own}
    await client.grant(bob, alice, ["read"], "team", wait=20)
    assert await shared() == {own, of_bob}
    await client.grant(carol, alice, ["read"], "team", wait=20)
    assert await shared() == {own, of_bob, of_carol}
    await client.revoke_grant(bob, alice, "team", wait=20)
    assert await shared() == {own, of_carol}
