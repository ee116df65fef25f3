"""An erasure on a real broker: afterwards no file of it, of the stores, or of keys tells anything of the agent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connectors.stores import LmdbMemoryStore, LmdbVectorStore
from schemas.codec import Codec, codec
from schemas.defaults import plain_command
from streams import topics
from streams.cli import main
from streams.core.sealed import is_closed, is_erased
from streams.serving.client import AsyncClient
from streams.serving.client_errors import ErasedError
from streams.serving.commands import KafkaCommandLog
from streams.serving.server import Gateway, Stores
from streams.settings import Settings
from streams.signing import Verifier, load_or_create_signer, load_verifier
from streams.vault.receipt import EMPTY_ROOT
from tests.e2e.fake_embedder import HashEmbedder
from tests.e2e.pipeline import working
from tests.e2e.readback import read
from tests.erase.scan import findings, spellings
from tests.identity import operator_token
from tests.integration.serving.broker import SIGNER, log_writer
from tests.steps import block, step_new

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

ALICE, BOB = "0x" + "a1" * 20, "0x" + "b0" * 20
GENESIS = block(0, 0, bytes(32))
SECRETS = [f"canary-{number}: the passphrase is under the blue flowerpot {number}" for number in range(4)]
TAG = "canary-tag-of-a-private-label"
SUBJECT = "canary-subject-of-a-statement"
CONTEXT = "canary-context-of-a-session"
OPEN = "canary-in-the-open: what another program wrote without a key"
AGENTS = ("memory", "embedding", "lattice")


@pytest.fixture
async def gateway(kafka_settings: Settings) -> AsyncIterator[Gateway]:
    """A worker and a gateway, sealing as the commands do."""
    settings, embedder = kafka_settings, HashEmbedder()
    settings.gateway.port = settings.gateway.metrics_port = 0
    own = load_or_create_signer(settings.path(settings.security.signing_key_file))
    async with working(settings, AGENTS, embedder), log_writer(settings.kafka) as writer:
        stores = Stores(
            LmdbMemoryStore(settings.path(settings.memory.db_path)), LmdbVectorStore(settings.path(Path("vectors")))
        )
        made = Gateway(settings, stores, embedder, Verifier([SIGNER.public, own.public]))
        await made.start()
        await writer.steps(step_new(0, GENESIS))
        yield made
        await made.stop()
        await stores.memories.close()
        await stores.vectors.close()


def wanted() -> dict[str, bytes]:
    vectors = HashEmbedder().embed(SECRETS)
    found = {
        f"{text[:12]} {name}": needle for text in (*SECRETS, TAG, SUBJECT, CONTEXT) for name, needle in spellings(text).items()
    }
    return found | {f"vector {n}": row.tobytes()[:64] for n, row in enumerate(vectors)}


async def values(settings: Settings, topic: str) -> list[bytes]:
    return [entry.value for entries in (await read(settings.kafka, topic)).values() for entry in entries if entry.value]


async def test_nothing_is_left_of_an_erased_agent_in_any_file(
    gateway: Gateway, kafka_settings: Settings, broker_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = kafka_settings
    folders = [settings.state_dir, broker_folder]
    agent, peer = bytes.fromhex(ALICE[2:]), bytes.fromhex(BOB[2:])
    async with AsyncClient(gateway.url, token=operator_token(settings)) as client:
        for text in SECRETS:
            await client.store(ALICE, text, tags=[TAG], subject=SUBJECT, predicate=f"{SUBJECT} is", wait=20)
            await client.store(BOB, f"of another agent {text[-1]}", wait=20)
        await client.open_session(ALICE, seconds=600, context=CONTEXT, goal=f"{CONTEXT}, at last")
        await client.forget(ALICE, (await client.retrieve(ALICE)).items[0].id, wait=20)
        assert {item.text for item in (await client.query_context(ALICE, SECRETS[3], min_similarity=-1)).items} & set(SECRETS)
        assert (await client.retrieve(ALICE, tags=[TAG])).items  # labels are found, though sealed
        await client.export(ALICE)
        before = await eventually_root(client, BOB, 4)
        vectors = (await client.root(ALICE)).count

        # Sealed: nothing is found even before; and what is written in the open, by the same producer, is found.
        slot = next(value for value in _slots(settings) if value[1:21] == agent)
        assert slot[33:125] in settings.path(settings.security.agent_keys_file).read_bytes()
        assert list(findings(folders, wanted())) == []
        plain = KafkaCommandLog(settings.kafka)
        await _send_open(plain, settings)
        assert [found for found in findings([broker_folder], spellings(OPEN)) if "utf-8" in found]
        log = [codec().decode(value)[1] for value in await values(settings, topics.MEMORY_LOG)]
        assert {fact["memory"]["content"].decode() for fact in log if fact["memory"]} >= set(SECRETS)

        answer = await client.erase(ALICE, wait=30)
        assert answer.done
        assert answer.receipt is not None
        assert answer.receipt["memories"] == 4
        assert answer.receipt["root_before"]["count"] == vectors == 3
        assert answer.receipt["root_after"] == EMPTY_ROOT and answer.receipt["absence"] is not None

        with pytest.raises(ErasedError):
            await client.retrieve(ALICE)
        with pytest.raises(ErasedError):
            await client.store(ALICE, SECRETS[0])
        assert (await client.root(ALICE)).merkle_root == EMPTY_ROOT["merkle_root"]  # every memory is proven absent
        after = await client.root(BOB)
        assert (after.checksum, after.merkle_root, after.count) == (before.checksum, before.merkle_root, before.count)
        assert len((await client.retrieve(BOB)).items) == 4

    assert list(findings(folders, {**wanted(), "wrapped key": slot[33:125]})) == []
    sealed = [Codec().decode(value)[1] for value in await values(settings, topics.MEMORY_LOG)]
    opened = [codec().decode(value)[1] for value in await values(settings, topics.MEMORY_LOG)]
    mine = [n for n, fact in enumerate(sealed) if fact["owner"] == agent and fact["memory"]]
    assert len(mine) == 4
    assert all(is_closed(sealed[n]["memory"]) and is_erased(opened[n]["memory"]) for n in mine)
    assert any(fact["owner"] == peer and fact["memory"] and fact["memory"]["content"] for fact in opened)

    file = tmp_path / "receipt.json"
    file.write_text(json.dumps(answer.receipt))
    monkeypatch.setenv("MONMOUTH_STATE_DIR", str(settings.state_dir))
    assert await asyncio.to_thread(main, ["erase", "verify", str(file)]) == 0
    file.write_text(json.dumps({**answer.receipt, "memories": 0}))
    assert await asyncio.to_thread(main, ["erase", "verify", str(file)]) == 1


async def eventually_root(client: AsyncClient, agent: str, count: int) -> Any:
    for _ in range(200):
        root = await client.root(agent)
        if root.count == count:
            return root
        await asyncio.sleep(0.1)
    raise AssertionError(f"{agent} has {root.count} memories, not {count}")


def _slots(settings: Settings) -> list[bytes]:
    content = settings.path(settings.security.agent_keys_file).read_bytes()
    return [content[at : at + 160] for at in range(64, len(content), 160)]


async def _send_open(log: KafkaCommandLog, settings: Settings) -> None:
    """A command in the clear, as a program without keys writes it; nobody signed it, so nobody acts on it."""
    from schemas.codec import using  # noqa: PLC0415

    with using(Codec()):
        await log.send({**plain_command(b"o" * 16, b"\x0c" * 20, "STORE", 7), "type": "SEMANTIC", "content": OPEN.encode()})
    await log.stop()
    assert load_verifier(settings.path(settings.security.trusted_keys_file))
