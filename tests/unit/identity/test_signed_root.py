"""The word of an agent for a root: good for exactly what it names, and refused for anything else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import ConfigurationError
from streams.identity.bls import SecretKey
from streams.identity.signed_root import LONGEST, MOST, RootPlace, SignedRoot, read_signed_root, sign_root

KEY, OTHER = SecretKey.from_seed(b"a" * 32), SecretKey.from_seed(b"b" * 32)
PLACE = RootPlace(1, b"\x0c" * 20, b"\xaa" * 20, 7, b"\xbb" * 32, b"\xcc" * 32)
WORD = sign_root(KEY, PLACE)
INFINITE_KEY, INFINITE_SIGNATURE = b"\xc0" + bytes(47), b"\xc0" + bytes(95)
NUMBERS = st.integers(0, MOST - 1)
PLACES = st.builds(
    RootPlace, NUMBERS, st.binary(min_size=20, max_size=20), st.binary(min_size=20, max_size=20), NUMBERS,
    st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32),
)  # fmt: skip


def test_it_holds_and_comes_back_from_its_document() -> None:
    assert WORD.holds()
    assert read_signed_root(WORD.document().encode()) == WORD
    assert len(WORD.document()) < LONGEST


@pytest.mark.parametrize(
    "change",
    [
        {"root": b"\xcd" * 32},
        {"chain_id": 2},
        {"holder": b"\x0d" * 20},
        {"agent": b"\xab" * 20},
        {"number": 8},
        {"block": b"\xbc" * 32},
        {"holder": PLACE.agent, "agent": PLACE.holder},
        {"block": PLACE.root, "root": PLACE.block},
    ],
)
def test_it_is_worth_nothing_for_anything_else(change: dict[str, Any]) -> None:
    assert not replace(WORD, place=replace(PLACE, **change)).holds()


@pytest.mark.parametrize(
    "word",
    [
        replace(WORD, public_key=OTHER.public),
        replace(WORD, public_key=INFINITE_KEY),
        replace(WORD, public_key=INFINITE_KEY, signature=INFINITE_SIGNATURE),
        replace(WORD, signature=INFINITE_SIGNATURE),
        replace(WORD, signature=KEY.sign(PLACE.payload()[1:])),
        replace(WORD, signature=KEY.prove_possession()),
        replace(WORD, public_key=bytes(48)),
        replace(WORD, signature=bytes(96)),
    ],
)
def test_other_keys_and_points_at_infinity_sign_nothing(word: SignedRoot) -> None:
    assert not word.holds()


@given(PLACES, PLACES)
def test_what_is_signed_tells_places_apart(one: RootPlace, other: RootPlace) -> None:
    assert (one.payload() == other.payload()) == (one == other)
    assert len(one.payload()) == len(PLACE.payload())


SAID = json.loads(WORD.document())


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"[]", b"null", b"{}", b"\xff", b"[" * LONGEST, WORD.document().encode() + b" " * LONGEST,
        *(json.dumps({k: v for k, v in SAID.items() if k != name}).encode() for name in SAID),
        *(json.dumps({**SAID, name: value}).encode() for name, value in [
            ("format", "monmouth/signed-root/2"), ("chain_id", True), ("chain_id", -1), ("chain_id", MOST), ("chain_id", 1.0),
            ("block_number", "7"), ("root", "cc" * 31), ("root", "CC" * 32), ("root", "0x" + "cc" * 32), ("root", 7),
            ("holder", "0c" * 21), ("agent", " " + "aa" * 20), ("public_key", "ab"), ("signature", None), ("more", 1),
        ]),
    ],
)  # fmt: skip
def test_what_is_no_such_document_is_refused(raw: bytes) -> None:
    with pytest.raises(ConfigurationError, match="no signed memory root"):
        read_signed_root(raw)
