"""The codec with keys: nothing private is left in what it writes, all of it is in what it reads, erased is erased."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.codec import Codec, SchemaError, codec, using
from schemas.defaults import plain_command, plain_edge, plain_memory
from schemas.records import MemoryCommand
from streams.core.leaf import Leaf, leaf_of
from streams.core.sealed import erased_leaf, is_closed, is_erased
from streams.identity.commands import by_gateway, sign_as_gateway
from streams.settings import Settings
from streams.signing import Signer, Verifier
from streams.vault.errors import VaultError
from streams.vault.keys import FileKeyStore
from streams.vault.master import MasterKey
from streams.vault.private_part import CLEAR, PrivatePart
from streams.vault.sealing import SealingCodec, sealed_records
from tests.samples import SAMPLES

AGENT, OTHER, ID = b"a" * 20, b"b" * 20, b"m" * 32
CANARY = "canary-5up3r-pr1vat3"
PLAIN = Codec()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


def codec_in(path: Path, **options: Any) -> SealingCodec:
    return SealingCodec(FileKeyStore(path / "agents.keys", lambda: MasterKey(bytes(32))), **options)


@pytest.fixture(scope="module")
def sealing(folder: Path) -> Iterator[SealingCodec]:
    yield codec_in(folder)


def memory(**fields: Any) -> dict[str, Any]:
    return {**plain_memory(ID, AGENT, "SEMANTIC", "COMMAND", 1_700_000_000), "content": CANARY.encode(), **fields}


def fact(record: dict[str, Any] | None) -> dict[str, Any]:
    op = "UPSERT" if record else "DELETE"
    return {"op": op, "cause": bytes(32), "memory_id": ID, "owner": AGENT, "memory": record, "block": None}


def unread(record: dict[str, Any]) -> dict[str, Any]:
    """As a command holds it, which is in no log yet."""
    return {name: value for name, value in record.items() if name != "known_at"}


RECORDS: list[tuple[str, dict[str, Any]]] = [
    ("Memory", memory()),
    ("Memory", memory(content=b"x", tags=[CANARY])),
    ("Memory", memory(content=b"x", media_type=CANARY)),
    ("Memory", memory(content=b"x", subject=CANARY, predicate=CANARY, valid_from=5, valid_to=9)),
    ("Memory", memory(content=b"x", edges=[{**plain_edge("LINK", ID), "relation": CANARY}], imported_from=ID)),
    ("MemoryFact", fact(memory(session=b"s" * 16))),
    ("MemoryCommand", {**plain_command(b"c" * 16, AGENT, "STORE", 7), "type": "SEMANTIC", "content": CANARY.encode()}),
    ("MemoryCommand", {**plain_command(b"c" * 16, AGENT, "IMPORT", 7), "memory": unread(memory(tags=[CANARY]))}),
    ("MemoryCommand", {**plain_command(b"c" * 16, AGENT, "SUPERSEDE", 7), "subject": CANARY}),
    (
        "Embedding",
        {**SAMPLES["Embedding"], "vector": CANARY.encode(), "text_digest": CANARY.encode().ljust(32), "sealed": None},
    ),
]


@pytest.mark.parametrize(("name", "record"), RECORDS)
def test_what_is_written_hides_and_what_is_read_shows(sealing: SealingCodec, name: str, record: dict[str, Any]) -> None:
    assert CANARY.encode() in PLAIN.encode(name, record)  # the scan can say yes
    wire = sealing.encode(name, record)
    assert CANARY.encode() not in wire
    assert sealing.decode(wire) == (name, record)
    assert sealing.encode(name, record) == wire
    closed = PLAIN.decode(wire)[1]
    assert is_closed(closed["memory"] if name == "MemoryFact" else closed)


@pytest.mark.parametrize("name", sorted(CLEAR))
def test_every_field_that_is_not_named_is_private(name: str) -> None:
    schema = json.loads(Path(f"schemas/{name}.avsc").read_text())
    part = PrivatePart(name, json.loads(Path("schemas/ids.json").read_text())[name])
    assert set(part.fields) == {field["name"] for field in schema["fields"]} - CLEAR[name]


texts = st.text(max_size=20)
edges = st.builds(
    lambda kind, relation, until: {**plain_edge(kind, ID), "relation": relation, "until": until},
    st.sampled_from(["LINK", "SUPERSEDES", "MERGES", "INVALIDATES"]),
    texts,
    st.none() | st.integers(0, 2**40),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=50),
    tags=st.lists(texts, max_size=3),
    subject=st.none() | texts,
    edges=st.lists(edges, max_size=2),
)
def test_any_memory_comes_back_whole(sealing: SealingCodec, **fields: Any) -> None:
    record = memory(**fields)
    assert sealing.decode(sealing.encode("Memory", record)) == ("Memory", record)
    part = sealing._parts["Memory"]
    assert part.decode(part.encode(record)) == {field: record[field] for field in part.fields}


def test_private_parts_of_an_older_version_are_read(tmp_path: Path) -> None:
    for name in ("Memory.avsc",):
        (tmp_path / name).write_text(Path("schemas", name).read_text())
    (tmp_path / "old.avsc").write_text(Path("schemas/Memory.avsc").read_text())
    schema = json.loads(Path("schemas/Memory.avsc").read_text())
    schema["fields"].append({"name": "added", "type": ["null", "string"], "default": None})
    old = PrivatePart("Memory", {"14": "unused"}, tmp_path).encode(memory(subject="s"))
    (tmp_path / "Memory.avsc").write_text(json.dumps(schema))
    import streams.vault.private_part as module  # noqa: PLC0415

    empty = {**module.EMPTY["Memory"], "added": None}
    patched = pytest.MonkeyPatch()
    patched.setattr(module, "EMPTY", {**module.EMPTY, "Memory": empty})
    newer = PrivatePart("Memory", {"14": "old.avsc", "99": "unused"}, tmp_path)
    patched.undo()
    assert newer.decode(old) == {field: memory(subject="s").get(field) for field in newer.fields}
    with pytest.raises(VaultError, match="schema 77"):
        newer.decode((77).to_bytes(4, "big") + old[4:])


def test_a_signature_over_private_content_is_hidden_with_it(sealing: SealingCodec) -> None:
    """Else whoever guessed the text of an erased agent could see that the guess is right."""
    command = {**plain_command(b"c" * 16, b"e" * 20, "STORE", 7), "type": "WORKING", "content": b"x", "signature": b"s" * 72}
    wire = sealing.encode("MemoryCommand", command)
    assert b"s" * 72 not in wire
    assert sealing.decode(wire)[1] == command


def test_records_without_private_content_stay_open(sealing: SealingCodec) -> None:
    for op in ("FORGET", "ERASE"):
        command = {**plain_command(b"c" * 16, OTHER, op, 7), "memory_id": ID, "signature": b"s" * 72}
        assert sealing.encode("MemoryCommand", command) == PLAIN.encode("MemoryCommand", command)
    assert sealing.keys.get(OTHER) is None  # and need no key
    assert sealing.encode("MemoryFact", fact(None)) == PLAIN.encode("MemoryFact", fact(None))


def test_a_moved_or_altered_record_is_refused_not_read_as_erased(sealing: SealingCodec) -> None:
    closed = PLAIN.decode(sealing.encode("Memory", memory()))[1]
    sealing.keys.get_or_create(OTHER)
    spoilt = bytearray(closed["sealed"])
    spoilt[-1] ^= 1
    for forged in (
        {**closed, "id": b"n" * 32},
        {**closed, "agent": OTHER},
        {**closed, "sealed": bytes(spoilt)},
        {**closed, "sealed": b"\x01short"},
        {**closed, "sealed": b"\x07" + closed["sealed"][1:]},
    ):
        with pytest.raises(VaultError):
            sealing.decode(PLAIN.encode("Memory", forged))


def test_a_keys_folder_without_the_key_is_an_error_not_an_erasure(sealing: SealingCodec, tmp_path: Path) -> None:
    wire = sealing.encode("Memory", memory())
    with pytest.raises(VaultError, match="not in this keys folder"):
        codec_in(tmp_path).decode(wire)
    other = codec_in(tmp_path)
    other.keys.get_or_create(AGENT)
    with pytest.raises(VaultError, match="do not open"):
        other.decode(wire)


@pytest.mark.parametrize(("name", "record"), RECORDS)
def test_after_the_key_is_destroyed_a_record_reads_as_erased(tmp_path: Path, name: str, record: dict[str, Any]) -> None:
    here, beside = codec_in(tmp_path), codec_in(tmp_path)
    leaf = leaf_of(here.keys.get_or_create(AGENT).leaf_secret, memory(session=b"s" * 16))
    agent = record["owner"] if name == "MemoryFact" else record["agent"]
    wire = here.encode(name, record)
    here.keys.destroy(agent)
    beside.keys.refresh()
    for codec_ in (here, beside, codec_in(tmp_path)):
        kind, found = codec_.decode(wire)
        assert kind == name
        private = found["memory"] if name == "MemoryFact" else found
        assert is_erased(private)
        assert CANARY not in repr(found)
        if name == "MemoryFact":
            assert erased_leaf(private) == leaf
        again = codec_.encode(name, found)  # written as it was read
        assert codec_.decode(again) == (kind, found)
        assert PLAIN.decode(again)[1] == found
        anew = codec_.encode(name, record)  # and what is told of it anew is not kept
        assert CANARY.encode() not in anew
        assert is_erased((codec_.decode(anew)[1]["memory"] or {}) if name == "MemoryFact" else codec_.decode(anew)[1])


def test_only_memories_have_leaves() -> None:
    assert erased_leaf({"sealed": b"\x00"}) is None
    assert erased_leaf({"sealed": b"\x00" + bytes(32) + b"v" * 32}) == Leaf(bytes(32), b"v" * 32)


def test_signatures_are_over_what_was_said_not_over_what_lies_in_the_log(sealing: SealingCodec) -> None:
    signer = Signer(bytes(32))
    said = cast("MemoryCommand", {**plain_command(b"c" * 16, AGENT, "STORE", 7), "content": CANARY.encode()})
    signed = sign_as_gateway(signer, said)  # by who has no keys
    wire = sealing.encode("MemoryCommand", signed)
    with using(sealing):
        assert sign_as_gateway(signer, said) == signed
        read = codec().decode(wire)[1]
        assert by_gateway(Verifier([signer.public]), read, wire)
        assert not by_gateway(Verifier([signer.public]), {**read, "content": b"other"}, wire)
    opened = {**said, "signature": b"new"}
    assert PLAIN.decode(sealing.amend(wire, signature=b"new"))[1] == opened  # as a reader of a newer version does


def test_rows_of_stores(tmp_path: Path) -> None:
    sealing = codec_in(tmp_path)
    row = sealing.seal("vector", AGENT, ID, CANARY.encode())
    assert CANARY.encode() not in row
    assert sealing.unseal("vector", AGENT, ID, row) == CANARY.encode()
    assert sealing.unseal("vector", AGENT, ID, PLAIN.seal("vector", AGENT, ID, b"open")) == b"open"
    for place in (("other", AGENT, ID), ("vector", AGENT, b"n" * 32)):
        with pytest.raises(VaultError):
            sealing.unseal(*place, row)
    with pytest.raises(SchemaError, match="no keys"):
        PLAIN.unseal("vector", AGENT, ID, row)
    sealing.keys.destroy(AGENT)
    assert sealing.unseal("vector", AGENT, ID, row) is None
    assert sealing.unseal("vector", AGENT, ID, sealing.seal("vector", AGENT, ID, b"later")) is None


def test_what_an_index_keeps_of_a_text_nobody_can_guess(tmp_path: Path) -> None:
    sealing = codec_in(tmp_path)
    veiled = sealing.veil(AGENT, CANARY.encode())
    assert len(veiled) == len(PLAIN.veil(AGENT, CANARY.encode()))
    assert veiled == codec_in(tmp_path, seals=False).veil(AGENT, CANARY.encode())
    others = {PLAIN.veil(AGENT, CANARY.encode()), sealing.veil(OTHER, CANARY.encode()), sealing.veil(AGENT, b"other")}
    assert veiled not in others and len(others) == 3
    sealing.keys.rotate(AGENT)
    assert sealing.veil(AGENT, CANARY.encode()) == veiled
    sealing.keys.destroy(AGENT)
    assert sealing.veil(AGENT, CANARY.encode()) == bytes(16)


def test_rotated_keys_open_what_older_ones_sealed(tmp_path: Path) -> None:
    here, beside = codec_in(tmp_path), codec_in(tmp_path)
    old = here.encode("Memory", memory())
    assert beside.decode(old) == ("Memory", memory())
    here.keys.rotate(AGENT)
    new = here.encode("Memory", memory())
    assert new != old
    for codec_ in (beside, here):  # beside has not looked at the file since
        assert codec_.decode(new) == codec_.decode(old) == ("Memory", memory())


def test_nothing_is_sealed_for_readers_of_an_older_version(tmp_path: Path) -> None:
    for bound in (16, 17):  # of which one of the records that would be sealed has no version
        assert codec_in(tmp_path, bound=bound).encode("Memory", memory()) == Codec(bound=bound).encode("Memory", memory())
    off = codec_in(tmp_path, seals=False)
    assert off.encode("Memory", memory()) == PLAIN.encode("Memory", memory())
    assert off.decode(codec_in(tmp_path).encode("Memory", memory())) == ("Memory", memory())


def test_a_writer_held_back_to_a_version_that_knows_sealed_records_seals_in_its_form(tmp_path: Path) -> None:
    held, free = codec_in(tmp_path, bound=30), codec_in(tmp_path)
    wire = held.encode("Memory", {**memory(), "known_at": 7})
    assert wire[1:5] == (14).to_bytes(4, "big") and memory()["content"] not in wire
    assert free.decode(wire) == ("Memory", memory()), "when the log had it comes with the next version"
    assert held.decode(free.encode("Memory", {**memory(), "known_at": 7})) == ("Memory", {**memory(), "known_at": 7})


def test_the_process_seals_until_the_end_of_the_block(tmp_path: Path) -> None:
    before = codec()
    with sealed_records(Settings(state_dir=tmp_path)) as keys:
        wire = codec().encode("Memory", memory())
        assert keys.get(AGENT) is not None
        assert CANARY.encode() not in wire
        assert codec().decode(wire)[1] == memory()
    assert codec() is before
