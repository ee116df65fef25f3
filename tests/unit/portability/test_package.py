"""Packages: one spelling, computed again before they are believed, refused if a byte differs."""

from __future__ import annotations

import json
import tracemalloc
from base64 import b64encode
from collections.abc import Callable
from io import BytesIO
from random import Random
from typing import Any

import fastavro
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st
from zstandard import ZstdCompressionParameters, ZstdCompressor

from schemas.defaults import plain_edge
from schemas.records import Memory
from streams.core.leaf import leaf_of
from streams.core.lthash import LtHash, element
from streams.portability import container, lines
from streams.portability.attest import attested, claims_of, demand_attested
from streams.portability.envelope import MAGIC, closed, opened, unlocked
from streams.portability.errors import PackageError
from streams.portability.package import PACKAGE_KEY, Package, manifest_of, packed
from streams.portability.record_json import canonical, line_of, memory_of
from streams.portability.sniff import read_any
from streams.signing import Signer
from tests.unit.portability.samples import AGENT, memories

KEY, STRANGER = Signer(b"s" * 32), Signer(b"t" * 32)
SIGNED = attested(packed(AGENT, memories()), KEY, b"\x01" * 32, b"\x02" * 32)
PUBLIC = KEY.public
FORMS = pytest.mark.parametrize(("write", "read"), [(lines.write, lines.read), (container.write, container.read)])
Write, Read = Callable[[Package], bytes], Callable[[bytes], Package]


@pytest.mark.parametrize("memory", memories(), ids=str)
def test_a_memory_is_one_line_and_comes_back(memory: Memory) -> None:
    assert memory_of(line_of(memory)) == memory
    assert b"\n" not in line_of(memory)


@FORMS
def test_a_package_comes_back_and_is_written_the_same(write: Write, read: Read) -> None:
    for package in (SIGNED, packed(AGENT, memories()), packed(AGENT, [])):
        data = write(package)
        assert read(data) == package
        assert write(read(data)) == data


@FORMS
def test_the_order_memories_come_in_and_how_they_travelled_do_not_matter(write: Write, read: Read) -> None:
    shuffled: list[Memory] = [{**memory, "imported_from": b"p" * 32, "sealed": b"x"} for memory in memories()]
    Random(3).shuffle(shuffled)
    assert write(packed(AGENT, shuffled)) == write(packed(AGENT, memories()))
    assert all(memory["imported_from"] is None for memory in read(write(packed(AGENT, shuffled))).memories)


@FORMS
def test_every_altered_byte_is_refused(write: Write, read: Read) -> None:
    data = write(SIGNED)
    for place in range(0, len(data), 7):
        altered = data[:place] + bytes([data[place] ^ (1 << place % 8)]) + data[place + 1 :]
        with pytest.raises(PackageError):
            demand_attested(read(altered), [PUBLIC])


@FORMS
@pytest.mark.parametrize("cut", [0, 1, 40, -1, -40])
def test_a_cut_or_longer_package_is_refused(write: Write, read: Read, cut: int) -> None:
    data = write(SIGNED)
    for wrong in (data[:cut], data + b"\n", data + b"x"):
        with pytest.raises(PackageError):
            read(wrong)


def test_a_manifest_made_for_other_memories_is_refused() -> None:
    """Whoever alters memories and computes the manifest again fails at the signature."""
    less = packed(AGENT, memories()[1:])
    with pytest.raises(PackageError, match="those of the manifest"):
        lines.read(lines.write(Package(SIGNED.manifest, less.memories, SIGNED.attestation)))
    forged = lines.read(lines.write(Package(less.manifest, less.memories, SIGNED.attestation)))
    with pytest.raises(PackageError, match="does not hold"):
        demand_attested(forged, [PUBLIC], unknown=True)


@pytest.mark.parametrize(
    "field", ["count", "types", "digest", "lattice", "checksum", "merkle_root", "block", "agent", "format"]
)
def test_each_field_of_the_manifest_is_held_against_the_memories(field: str) -> None:
    wrong = {**SIGNED.manifest, field: packed(AGENT, memories(9, seed=2)).manifest[field]}
    if wrong == SIGNED.manifest:
        wrong[field] = "0x" + "0b" * 20 if field == "agent" else "monmouth.package/2"
    data = lines.write(Package(wrong, SIGNED.memories))
    with pytest.raises(PackageError):
        lines.read(data)
    missing = {name: value for name, value in SIGNED.manifest.items() if name != field}
    with pytest.raises(PackageError):
        lines.read(lines.write(Package(missing, SIGNED.memories)))


def test_the_lattice_state_is_the_sum_of_the_leaves() -> None:
    total = LtHash.of(bytes(2048))
    for memory in memories():
        total += LtHash.of(element(leaf_of(PACKAGE_KEY, memory).value))
    assert SIGNED.manifest["lattice"] == b64encode(bytes(total)).decode()
    assert SIGNED.manifest["checksum"] == total.checksum().hex()


def test_signatures_of_strangers_and_none_at_all_are_refused_unless_asked_for() -> None:
    assert demand_attested(SIGNED, [PUBLIC])
    foreign = attested(packed(AGENT, memories()), STRANGER, None, None)
    for package in (foreign, packed(AGENT, memories())):
        with pytest.raises(PackageError, match="is signed by"):
            demand_attested(package, [PUBLIC])
        assert not demand_attested(package, [PUBLIC], unknown=True)


def test_an_attestation_speaks_for_its_root_too() -> None:
    other = {**(SIGNED.attestation or {}), "merkle_root": "03" * 32}
    with pytest.raises(PackageError, match="does not hold"):
        demand_attested(Package(SIGNED.manifest, SIGNED.memories, other), [PUBLIC])


def test_claims_are_named_by_origin_and_looked_at_once() -> None:
    class Counted(dict[bytes, bytes]):
        passes = 0

        def items(self) -> Any:
            Counted.passes += 1
            return super().items()

        def values(self) -> Any:
            Counted.passes += 1
            return super().values()

    ids = [bytes([n]) * 32 for n in range(9)]
    claims = Counted({memory_id: ids[n % 3] for n, memory_id in enumerate(reversed(ids))})
    package = attested(packed(AGENT, memories()), KEY, None, None, claims)
    assert Counted.passes == 1
    named = (package.attestation or {})["claims"]
    assert named == {
        origin.hex(): sorted(memory_id.hex() for memory_id, other in dict(claims).items() if other == origin)
        for origin in ids[:3]
    }
    assert claims_of(package) == dict(claims)


def test_two_of_one_id_and_memories_of_others_are_refused() -> None:
    one = memories()[0]
    with pytest.raises(PackageError, match="one of each"):
        packed(AGENT, [one, one])
    with pytest.raises(PackageError, match="one agent"):
        packed(AGENT, [{**one, "agent": b"\x0b" * 20}])
    with pytest.raises(PackageError, match="sorted"):
        manifest_of(AGENT, tuple(sorted(memories(), key=lambda memory: memory["id"], reverse=True)))


@pytest.mark.parametrize(
    "change",
    [
        {"importance": 1},
        {"importance": float("inf")},
        {"timestamp": 1.0},
        {"timestamp": True},
        {"timestamp": 1 << 63},
        {"type": "DREAM"},
        {"id": "0x00"},
        {"content": "not base64!"},
        {"tags": "swap"},
        {"tags": [1]},
        {"edges": [{}]},
        {"extra": 1},
        {"subject": 5},
        {"block": {}},
        {"media_type": None},
    ],
    ids=str,
)
def test_lines_that_are_no_memories_are_refused(change: dict[str, object]) -> None:
    said = {**json.loads(line_of(memories()[1])), **change}
    with pytest.raises(PackageError):
        memory_of(json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())


@pytest.mark.parametrize("line", [b"", b"[]", b"null", b"{}", b"\xff", b"[" * 5000, b'"' + b"x" * (1 << 20) + b'"'])
def test_foreign_lines_are_refused(line: bytes) -> None:
    with pytest.raises(PackageError):
        memory_of(line)


def test_another_spelling_of_the_same_memory_is_refused() -> None:
    said = json.loads(line_of(memories()[1]))
    for other in (json.dumps(said).encode(), line_of(memories()[1]) + b" "):
        with pytest.raises(PackageError, match="canonical form"):
            memory_of(other)


def test_any_avro_library_reads_the_container() -> None:
    source = fastavro.reader(BytesIO(container.write(SIGNED)))
    assert [record["id"] for record in source] == [memory["id"] for memory in SIGNED.memories]
    assert json.loads(source.metadata["monmouth.manifest"])["manifest"] == SIGNED.manifest


@given(st.binary(max_size=400))
def test_garbage_is_refused(data: bytes) -> None:
    for read in (lines.read, container.read):
        for wrong in (data, b"Obj\x01" + data, canonical({"manifest": {}}) + b"\n" + data):
            with pytest.raises(PackageError):
                read(wrong)


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
@pytest.mark.parametrize("compress", [True, False])
def test_an_envelope_is_opened_and_no_altered_byte_gets_through(passphrase: str | None, compress: bool) -> None:
    content = lines.write(SIGNED)
    data = closed(content, passphrase, compress)
    assert opened(data, passphrase).read() == content
    assert opened(unlocked(data, passphrase)).read() == content
    assert closed(content, passphrase, compress) == data
    assert (content in data) == (passphrase is None and not compress)
    for place in range(0, len(data), 29 if passphrase is None else 211):
        altered = data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :]
        if altered.startswith(MAGIC):
            with pytest.raises(PackageError):
                opened(altered, passphrase).read()


def test_a_wrong_or_missing_passphrase_is_refused() -> None:
    data = closed(b"content", "right")
    assert b"content" not in data
    with pytest.raises(PackageError, match="is encrypted"):
        opened(data)
    with pytest.raises(PackageError, match="passphrase is not"):
        opened(data, "wrong")


@pytest.mark.parametrize("size", [0, 1, 1 << 16, (1 << 16) + 1, 1 << 20])
def test_more_than_may_be_read_is_refused(size: int) -> None:
    for data in (closed(bytes(size)), closed(bytes(size), compress=False), bytes(size)):
        if size <= 1 << 16:
            assert opened(data, most=1 << 16).read() == bytes(size)
        else:
            with pytest.raises(PackageError, match="holds more than"):
                opened(data, most=1 << 16).read()


def bomb(start: bytes, window: int = 21) -> bytes:
    """An envelope of some kilobytes that expands to a gigabyte behind ``start``."""
    parameters = ZstdCompressionParameters.from_level(1, window_log=window)
    packer = ZstdCompressor(compression_params=parameters).compressobj()
    megabyte = bytes(1 << 20)
    payload = packer.compress(start) + b"".join(packer.compress(megabyte) for _ in range(1 << 10)) + packer.flush()
    head = MAGIC + bytes([1, 1])
    return head + blake3(head + payload).digest() + payload


@pytest.mark.parametrize(
    ("start", "why"),
    [(b'{"manifest":', "middle of a line"), (b"Obj\x01", "no Avro container"), (b"[", "document has more than")],
    ids=["lines", "avro", "another product"],
)
def test_a_bomb_is_refused_without_the_memory_it_asks_for(start: bytes, why: str) -> None:
    data = bomb(start)
    assert len(data) < 1 << 18
    tracemalloc.start()
    try:
        with pytest.raises(PackageError, match=why):
            read_any(data, AGENT)
        assert tracemalloc.get_traced_memory()[1] < 128 << 20
    finally:
        tracemalloc.stop()


def test_a_frame_that_asks_for_a_large_window_is_refused() -> None:
    with pytest.raises(PackageError, match="cannot be expanded"):
        opened(bomb(b"", window=27)).read(1)


def test_more_memories_than_a_package_may_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [(lines.read, lines.write(SIGNED)), (container.read, container.write(SIGNED))]
    monkeypatch.setattr("streams.portability.lines.MOST_MEMORIES", 10)
    monkeypatch.setattr("streams.portability.container.MOST_MEMORIES", 10)
    for read, data in files:
        with pytest.raises(PackageError, match="more than 10 memories"):
            read(data)


@pytest.mark.parametrize(
    "change",
    [
        {"importance": float("nan")},
        {"importance": float("inf")},
        {"edges": [plain_edge("LINK", b"x" * 32)] * 65},
        {"tags": ["t"] * 33},
    ],
    ids=str,
)
def test_a_container_with_what_no_memory_can_hold_is_refused(change: dict[str, Any]) -> None:
    memory: Any = {**memories(1)[0], **change}
    data = container.write(Package(packed(AGENT, memories(1)).manifest, (memory,)))
    with pytest.raises(PackageError):
        read_any(data, AGENT)


def test_a_container_that_could_grow_without_end_is_refused_before_it_does() -> None:
    schema: object = {"type": "record", "name": "Memory", "fields": [{"name": "x", "type": {"type": "array", "items": "null"}}]}
    bomb, packed_up = BytesIO(), BytesIO()
    fastavro.writer(bomb, fastavro.parse_schema(schema), [{"x": [None] * 1_000}] * 3)
    fastavro.writer(packed_up, container._SCHEMA, list(memories()), codec="deflate")
    for out in (bomb, packed_up):
        with pytest.raises(PackageError, match="another schema or compression"):
            container.read(out.getvalue())
