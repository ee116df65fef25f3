"""BLS: official vectors, and a no for everything that is not exactly a signature.

Vectors: EIP-2333 test case 0, and the signing cases of ethereum/bls12-381-tests with the first of their secret keys.
"""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from blspy import G2Element, PopSchemeMPL, PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.identity import bls
from streams.identity.bls import KeyMaterialError, SecretKey

SECRET = bytes.fromhex("263dbd792f5b1be47ed85f8938c0f29586af0d3ac7b977f21c278fe1462040e3")
PUBLIC = "a491d1b0ecd9bb917989f0e74f0dea0422eac4a873e5e2644f368dffb9a6e20fd6e10c1b77654d067c0618f6e5a7f79a"  # of SECRET
OF_ZEROS = (
    "b6ed936746e01f8ecf281f020953fbf1f01debd5657c4a383940b020b26507f6076334f91e2366c96e9ab279fb515809"
    "0352ea1c5b0c9274504f4f0e7053af24802e51e4568d164fe986834f41e55c8e850ce1f98458c0cfc9ab380b55285a55"
)  # signature of 32 zero bytes
SEED = bytes.fromhex(
    "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04"
)
OF_SEED = 6083874454709270928345386274498605044986640685124978867557563392430687146096
FIELD = 0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB
INFINITE_KEY, INFINITE_SIGNATURE = b"\xc0" + bytes(47), b"\xc0" + bytes(95)

ONE, TWO = SecretKey.from_bytes(SECRET), SecretKey.from_seed(SEED)
MESSAGE = b"message"
SIGNED = ONE.sign(MESSAGE)


def outside_the_subgroup() -> bytes:
    """A point of the curve y^2 = x^3 + 4 whose order is not the group's: nearly every x gives one."""
    x = 1
    while pow((x**3 + 4) % FIELD, (FIELD - 1) // 2, FIELD) != 1:
        x += 1
    return bytes([x.to_bytes(48, "big")[0] | 0x80]) + x.to_bytes(48, "big")[1:]


STRAY = outside_the_subgroup()


def test_vectors() -> None:
    assert ONE.public.hex() == PUBLIC
    assert ONE.sign(bytes(32)).hex() == OF_ZEROS
    assert bls.verify(ONE.public, bytes(32), bytes.fromhex(OF_ZEROS))
    assert int.from_bytes(TWO.export(), "big") == OF_SEED
    assert SecretKey.from_bytes(ONE.export()).public == ONE.public


def test_a_signature_is_of_one_key_and_one_message() -> None:
    assert bls.verify(ONE.public, MESSAGE, SIGNED)
    assert not bls.verify(TWO.public, MESSAGE, SIGNED)
    assert not bls.verify(ONE.public, MESSAGE + b" ", SIGNED)
    assert not bls.verify(ONE.public, MESSAGE, TWO.sign(MESSAGE))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 95), st.integers(1, 255))
def test_no_altered_signature_holds(place: int, mask: int) -> None:
    altered = bytearray(SIGNED)
    altered[place] ^= mask
    assert not bls.verify(ONE.public, MESSAGE, bytes(altered))


@pytest.mark.parametrize(
    "raw", [b"", bytes(48), ONE.public[:-1], ONE.public + b"\0", b"\xff" * 48, INFINITE_KEY, STRAY, SIGNED]
)
def test_what_is_no_public_key(raw: bytes) -> None:
    assert not bls.is_public_key(raw)
    assert not bls.verify(raw, MESSAGE, SIGNED)
    assert not bls.verify(raw, MESSAGE, INFINITE_SIGNATURE)
    assert not bls.verify_possession(raw, ONE.prove_possession())
    assert not bls.verify_same([ONE.public, raw], MESSAGE, SIGNED)
    assert not bls.verify_each([raw], [MESSAGE], SIGNED)


@pytest.mark.parametrize("raw", [b"", bytes(96), SIGNED[:-1], SIGNED + b"\0", b"\xff" * 96, INFINITE_SIGNATURE, ONE.public])
def test_what_is_no_signature(raw: bytes) -> None:
    assert not bls.verify(ONE.public, MESSAGE, raw)
    assert not bls.verify_possession(ONE.public, raw)
    assert not bls.verify_same([ONE.public], MESSAGE, raw)
    assert not bls.verify_each([ONE.public], [MESSAGE], raw)
    with pytest.raises(KeyMaterialError):
        bls.aggregate([SIGNED, raw])


def test_what_the_library_takes_and_we_do_not() -> None:
    """If this fails, the library has become stricter, which is fine."""
    zero = PrivateKey.from_bytes(bytes(32))
    assert bytes(PopSchemeMPL.sign(zero, MESSAGE)) == INFINITE_SIGNATURE
    assert PopSchemeMPL.aggregate_verify([], [], G2Element.from_bytes(INFINITE_SIGNATURE))


def test_a_check_of_nothing_is_no() -> None:
    assert not bls.verify_same([], MESSAGE, INFINITE_SIGNATURE)
    assert not bls.verify_same([], MESSAGE, SIGNED)
    assert not bls.verify_each([], [], INFINITE_SIGNATURE)
    assert not bls.verify_each([ONE.public], [], SIGNED)
    assert not bls.verify_each([ONE.public], [MESSAGE, MESSAGE], SIGNED)
    with pytest.raises(KeyMaterialError):
        bls.aggregate([])


@pytest.mark.parametrize(
    "raw", [b"", bytes(32), bytes(31) + b"\1" + b"\0", b"\1" * 31, bls.ORDER.to_bytes(32, "big"), b"\xff" * 32]
)
def test_what_is_no_secret_key(raw: bytes) -> None:
    with pytest.raises(KeyMaterialError):
        SecretKey.from_bytes(raw)


def test_aggregates() -> None:
    both = bls.aggregate([SIGNED, TWO.sign(MESSAGE)])
    assert bls.verify_same([ONE.public, TWO.public], MESSAGE, both)
    assert not bls.verify_same([ONE.public], MESSAGE, both)
    assert not bls.verify_same([ONE.public, TWO.public], b"another", both)
    mixed = bls.aggregate([SIGNED, TWO.sign(b"two")])
    assert bls.verify_each([ONE.public, TWO.public], [MESSAGE, b"two"], mixed)
    assert not bls.verify_each([TWO.public, ONE.public], [MESSAGE, b"two"], mixed)


def test_possession() -> None:
    assert bls.verify_possession(ONE.public, ONE.prove_possession())
    assert not bls.verify_possession(TWO.public, ONE.prove_possession())
    assert not bls.verify_possession(ONE.public, ONE.sign(ONE.public)), "an ordinary signature is no proof"
    assert not bls.verify(ONE.public, ONE.public, ONE.prove_possession()), "and a proof no signature"


def test_a_secret_key_stays_where_it_is() -> None:
    new = SecretKey.generate()
    assert new.export().hex() not in repr(new)
    with pytest.raises(TypeError):
        pickle.dumps(new)
    with pytest.raises(KeyMaterialError):
        SecretKey.from_seed(b"short")
    assert new.public != SecretKey.generate().public


def test_errors_hold_no_key() -> None:
    raw: Any = b"\x5a" * 33
    with pytest.raises(KeyMaterialError) as refused:
        SecretKey.from_bytes(raw)
    assert "5a5a" not in str(refused.value)
