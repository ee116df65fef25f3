"""Sealing: what opens, what must not, and that equal records give equal bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.vault.box import Box, open_part, version_of
from streams.vault.errors import VaultError

KEY, OTHER = bytes(range(32)), bytes(32)
BOX = Box(7, KEY)
PLACE = b"Memory\0" + b"a" * 20 + b"m" * 32


@given(st.binary(max_size=200), st.binary(max_size=255), st.binary(max_size=60))
def test_what_is_sealed_opens_to_the_same_and_sealing_again_gives_the_same_bytes(
    text: bytes, opened: bytes, place: bytes
) -> None:
    sealed = BOX.seal(place, text, opened)
    assert BOX.open(place, sealed) == text
    assert open_part(sealed) == opened
    assert version_of(sealed) == 7
    assert Box(7, KEY).seal(place, text, opened) == sealed


@given(st.binary(min_size=8, max_size=100), st.data())
def test_every_altered_byte_and_every_cut_is_noticed(text: bytes, data: st.DataObject) -> None:
    sealed = bytearray(BOX.seal(PLACE, text, b"open"))
    at = data.draw(st.integers(5, len(sealed) - 1))
    sealed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(VaultError):
        BOX.open(PLACE, bytes(sealed))
    for cut in (b"", bytes(sealed[:-1]), bytes(sealed[:30])):
        with pytest.raises(VaultError):
            version_of(cut)
            BOX.open(PLACE, cut)


@pytest.mark.parametrize("place", [b"Memory\0" + b"b" * 20 + b"m" * 32, b"Memory\0" + b"a" * 20 + b"n" * 32, b"Other\0"])
def test_sealed_bytes_cannot_be_moved_elsewhere(place: bytes) -> None:
    with pytest.raises(VaultError, match="do not open"):
        BOX.open(place, BOX.seal(PLACE, b"text"))


def test_another_key_or_version_does_not_open() -> None:
    sealed = BOX.seal(PLACE, b"text")
    for box in (Box(7, OTHER),):
        with pytest.raises(VaultError):
            box.open(PLACE, sealed)
    relabelled = sealed[:1] + (8).to_bytes(4, "big") + sealed[5:]
    with pytest.raises(VaultError):
        BOX.open(PLACE, relabelled)
    with pytest.raises(VaultError, match="form 9"):
        version_of(b"\x09" + sealed[1:])


def test_nonces_differ_with_anything_that_goes_in() -> None:
    sealed = [
        BOX.seal(PLACE, b"text"),
        BOX.seal(PLACE, b"texu"),
        BOX.seal(PLACE + b"t", b"ext"),
        BOX.seal(PLACE[:-1], PLACE[-1:] + b"text"),
        Box(8, KEY).seal(PLACE, b"text"),
        Box(7, OTHER).seal(PLACE, b"text"),
    ]
    assert len({wire[6:18] for wire in sealed}) == len(sealed)
    assert b"text" not in b"".join(sealed)
    assert KEY.hex() not in repr(BOX)
