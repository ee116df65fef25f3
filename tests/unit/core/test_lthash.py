"""LtHash: official values, and the arithmetic."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from streams.core.lthash import STATE_BYTES, ZERO, LtHash, element, merge, sum_elements


@pytest.fixture(scope="session")
def vectors(data_dir: Path) -> dict[str, Any]:
    return json.loads((data_dir / "lthash" / "vectors.json").read_text())


def test_official_values(vectors: dict[str, Any]) -> None:
    assert vectors["official"]
    for case in vectors["official"]:
        preimage = case["input_utf8"].encode()
        state = sum_elements([preimage])
        assert bytes(state).hex() == case["lthash_le_hex"]
        assert element(preimage) == bytes(state)
        assert sha256(bytes(state)).hexdigest() == case["sha256_of_2048_bytes"]
        assert state.checksum().hex() == case["checksum_hex"]
    assert ZERO.checksum().hex() == vectors["identity_checksum_hex"]


def test_lanes_are_little_endian_and_wrap() -> None:
    ones = LtHash.of(b"\xff\xff" * 1024)
    one = LtHash.of(b"\x01\x00" * 1024)
    assert ones + one == ZERO
    assert ZERO - one == ones
    assert bytes(LtHash.of(b"\xff\x00" * 1024) + one) == b"\x00\x01" * 1024


def test_sums_longer_than_a_chunk_equal_one_by_one() -> None:
    preimages = [i.to_bytes(4, "big") for i in range(150)]
    total = ZERO
    for preimage in preimages:
        total = total + LtHash.of(element(preimage))
    assert sum_elements(preimages) == total
    assert merge(sum_elements(preimages[i::7]) for i in range(7)) == total
    assert hash(total) == hash(sum_elements(preimages))


def test_two_to_the_sixteen_copies_cancel_so_preimages_must_be_unique() -> None:
    total = sum_elements([b"x"])
    for _ in range(16):
        total = total + total
    assert total == ZERO
    assert sum_elements([b"x", b"x"]) != sum_elements([b"x"])


def test_keyed_elements_differ_by_key() -> None:
    keys = [None, bytes(32), b"k" * 32]
    assert len({bytes(sum_elements([b"x"], key)) for key in keys}) == 3
    assert bytes(sum_elements([b"x"], keys[2])) == element(b"x", keys[2])


@pytest.mark.parametrize("size", [0, 32, STATE_BYTES - 1, STATE_BYTES + 2])
def test_states_of_a_wrong_size_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="2048 bytes"):
        LtHash.of(bytes(size))


def test_a_state_is_compared_with_states_only() -> None:
    assert bytes(STATE_BYTES) != ZERO
    assert not ZERO
    assert sum_elements([b"x"])
    assert ZERO.checksum().hex() in repr(ZERO)
