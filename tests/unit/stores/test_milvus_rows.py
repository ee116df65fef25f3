"""What of a vector stands in Milvus: nothing that names agent, memory or block, and nothing of an erased agent."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from connectors.stores.milvus import MilvusVectorStore
from connectors.stores.milvus.rows import SEALED_DIGITS, entity, memory_id_of, pseudonym, row_key, vector_row
from schemas.codec import OPEN, using
from streams.errors import StoreError
from streams.ports.stores import VectorRow
from streams.settings import Settings
from streams.vault.errors import VaultError
from streams.vault.keys import KeyStore
from streams.vault.sealing import SealingCodec, open_keys
from tests.unit.stores.facts import ALICE, BOB, h
from tests.unit.stores.test_vector_contract import row, unit

D = 384
ROW = VectorRow(ALICE, h(1), unit(1)[0], h(7), b"s" * 32)


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[KeyStore]:
    """The process seals, as workers and gateways do."""
    store = open_keys(Settings(state_dir=tmp_path / "state"))
    with using(SealingCodec(store)):
        yield store
    store.close()


def made(of: VectorRow = ROW) -> dict:
    found = entity(of, D)
    assert found is not None
    return found


def test_a_row_reads_back_and_tells_nothing(keys: KeyStore) -> None:
    found = made()
    back = vector_row(ALICE, found)
    assert back is not None
    assert (back.agent, back.memory_id, back.block_hash, back.source) == (ALICE, h(1), h(7), b"s" * 32)
    assert back.vector.tobytes() == ROW.vector.tobytes()
    assert memory_id_of(ALICE, found["key"], found["sealed"]) == h(1)
    assert len(found["sealed"]) <= SEALED_DIGITS
    told = "".join(str(found[name]) for name in ("key", "agent", "sealed")).encode() + b64decode(found["sealed"])
    for secret in (ALICE, h(1), h(7), b"s" * 32):
        assert secret not in told and secret.hex().encode() not in told
    again = made()
    assert (again["key"], again["sealed"]) == (found["key"], found["sealed"]), "written again, it is the same row"


def test_agents_and_memories_have_names_of_their_own(keys: KeyStore) -> None:
    names = {made(VectorRow(agent, h(n), ROW.vector))["key"] for agent in (ALICE, BOB) for n in range(3)}
    assert len(names) == 6
    assert {name[:32] for name in names} == {pseudonym(ALICE), pseudonym(BOB)}


def test_a_row_that_was_altered_does_not_read(keys: KeyStore) -> None:
    found, other = made(), made(VectorRow(ALICE, h(2), unit(2)[0]))
    with pytest.raises(StoreError, match="not the one that was written"):
        vector_row(ALICE, {**found, "vector": other["vector"]})
    with pytest.raises(VaultError, match="do not open"):
        vector_row(ALICE, {**found, "sealed": other["sealed"]})
    with pytest.raises(StoreError, match="not readable"):
        memory_id_of(ALICE, found["key"], "no base64")
    cut = b64encode(b64decode(found["sealed"])[:-1]).decode()
    with pytest.raises(VaultError, match="do not open"):
        memory_id_of(ALICE, found["key"], cut)
    bare = b64encode(OPEN + b"short").decode()
    with pytest.raises(StoreError, match="too short"):
        memory_id_of(ALICE, found["key"], bare)


def test_an_agent_nobody_wrote_of_gets_no_key_by_being_asked_for(keys: KeyStore) -> None:
    assert pseudonym(BOB) is None and row_key(BOB, h(1)) is None
    assert keys.get(BOB) is None


def test_an_erased_agent_has_no_name_and_no_new_row(keys: KeyStore) -> None:
    found = made()
    keys.destroy(ALICE)
    assert pseudonym(ALICE) is None and row_key(ALICE, h(1)) is None
    assert entity(ROW, D) is None
    assert vector_row(ALICE, found) is None and memory_id_of(ALICE, found["key"], found["sealed"]) is None


async def test_an_erased_agents_rows_are_cleared_by_the_name_it_had(keys: KeyStore, tmp_path: Path) -> None:
    store = MilvusVectorStore(str(tmp_path / "v.db"))
    await store.upsert([row(n) for n in range(3)] + [row(9, BOB)])
    name = store.name_of(ALICE)
    keys.destroy(ALICE)
    await store.upsert([row(4), row(5, BOB)])
    assert await store.search(ALICE, unit(1)[0], 9) == [] and store.name_of(ALICE) == ""
    assert await store.find([(ALICE, h(1))]) == [None]
    await store.delete([(ALICE, h(1))])
    left = store._client.query(store._collection, filter=f'agent == "{name}"', output_fields=["key"])
    assert len(left) == 3
    await store.clear(name)
    await store.clear(name)
    assert len(store._client.query(store._collection, filter='key != ""', output_fields=["key"])) == 2
    assert {hit.memory_id for hit in await store.search(BOB, unit(1)[0], 9)} == {h(5), h(9)}
    await store.close()


def test_vectors_are_bit_for_bit(keys: KeyStore) -> None:
    """A digest is over the very bits, so what a server hands back must be them."""
    found = made()
    back = vector_row(ALICE, {**found, "vector": [float(x) for x in found["vector"]]})
    assert back is not None and back.vector.tobytes() == ROW.vector.tobytes()
    nudged = np.array(found["vector"])
    nudged[0] = np.nextafter(nudged[0], np.float32(2))
    with pytest.raises(StoreError):
        vector_row(ALICE, {**found, "vector": nudged})
