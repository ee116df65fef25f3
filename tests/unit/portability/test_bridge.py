"""Bridge records and the accounts they belong in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Memory
from streams.core.ids import content_id
from streams.portability.bridge import BridgeRecord, State, account_of, decode, encode, may_follow
from streams.portability.errors import PackageError
from streams.portability.solana import base58, find_program_address, from_base58, is_on_curve, program_address
from streams.signing import Signer
from tests.unit.portability.samples import memories

KEY = Signer(b"b" * 32)
PUBLIC = KEY.public
LOADER = from_base58("BPFLoaderUpgradeab1e11111111111111111111111")
SEED_KEY = from_base58("SeedPubey1111111111111111111111111111111111")
RECORD = BridgeRecord.of(memories()[1])


@pytest.mark.parametrize(
    ("seeds", "address"),
    [
        ([b"", b"\x01"], "BwqrghZA2htAcqq8dzP1WDAhTXYTYWj7CHxF5j7TDBAe"),
        (["☉".encode(), b"\x00"], "13yWmRpaTR4r5nAktwLqMpRNr28tnVUZw26rTvPSSB19"),
        ([b"Talking", b"Squirrels"], "2fnQrngrQT4SeLcdToJAD96phoEjNL2man2kfRLCASVk"),
        ([SEED_KEY, b"\x01"], "976ymqVnfE32QFe6NfGDctSvVa36LWnvYxhU6G2232YL"),
    ],
)
def test_addresses_are_those_of_the_sdk(seeds: list[bytes], address: str) -> None:
    """Vectors of the Solana SDK's own test of ``create_program_address``."""
    assert base58(program_address(seeds, LOADER)) == address


def test_points_of_the_curve_are_no_addresses() -> None:
    assert all(is_on_curve(Signer(bytes([n]) * 32).public) for n in range(20))
    found = [find_program_address([bytes([n])], LOADER) for n in range(20)]
    assert not any(is_on_curve(address) for address, _ in found)
    lower = [(n, bump) for n, (_, bump) in enumerate(found) if bump < 255]
    assert lower, "of twenty, some first tries lie on the curve"
    with pytest.raises(ValueError, match="the key of"):
        program_address([bytes([lower[0][0]]), bytes([lower[0][1] + 1])], LOADER)


@pytest.mark.parametrize("seeds", [[b"x"] * 17, [b"x" * 33]])
def test_wrong_seeds_are_refused(seeds: list[bytes]) -> None:
    for make in (program_address, find_program_address):
        with pytest.raises(ValueError, match="seeds"):
            make(seeds, LOADER)


@given(st.binary(max_size=40))
def test_base58_comes_back(data: bytes) -> None:
    assert from_base58(base58(data)) == data


@pytest.mark.parametrize("memory", memories(), ids=str)
def test_a_record_comes_back(memory: Memory) -> None:
    record = BridgeRecord.of(memory, State.RELAYED)
    assert decode(encode(record, KEY), [PUBLIC]) == record
    assert record.slot == (memory["block"]["number"] // 2 if memory["block"] else 0)


def test_every_altered_byte_is_refused() -> None:
    data = encode(RECORD, KEY)
    for place in range(len(data)):
        with pytest.raises(PackageError):
            decode(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :], [PUBLIC])


def test_strangers_and_cut_records_are_refused() -> None:
    with pytest.raises(PackageError, match="not trusted"):
        decode(encode(RECORD, Signer(b"x" * 32)), [PUBLIC])
    for wrong in (b"", encode(RECORD, KEY)[:-1], encode(RECORD, KEY) + b"x"):
        with pytest.raises(PackageError):
            decode(wrong, [PUBLIC])


@pytest.mark.parametrize(
    "change",
    [{"kind": 6}, {"source": 4}, {"importance": 10_001}, {"content": bytes(65_537)}, {"tags": ("x",) * 33}, {"slot": -1}],
    ids=str,
)
def test_what_is_out_of_range_is_not_even_signed(change: dict[str, object]) -> None:
    with pytest.raises(PackageError):
        encode(replace(RECORD, **change), KEY)  # type: ignore[arg-type]


def test_accounts_are_apart() -> None:
    other = replace(RECORD, memory_id=content_id("other"))
    assert account_of(LOADER, RECORD) == account_of(LOADER, RECORD) != account_of(LOADER, other)


def test_a_transfer_goes_forward_and_ends() -> None:
    ends = {State.COMPLETED, State.FAILED, State.CANCELLED}
    for before in State:
        assert not may_follow(before, before)
        assert any(may_follow(before, after) for after in State) == (before not in ends)
    assert may_follow(State.INITIATED, State.LOCKED) and not may_follow(State.LOCKED, State.INITIATED)
    assert not may_follow(State.INITIATED, State.COMPLETED)
