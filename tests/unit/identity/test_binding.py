"""Words signed by an account: a wallet's signature is understood, and no other's is taken for it.

The vector is the one of web3's documentation ("Some data").
"""

from __future__ import annotations

import pickle

import pytest

from streams.identity.binding import HALF_ORDER, Account, Place, digest_of, signer_of
from streams.identity.bls import KeyMaterialError
from tests.identity import PLACE, member

SECRET = bytes.fromhex("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318")
ADDRESS = bytes.fromhex("2c7536e3605d9c16a7a3d7b1898e529396a65c23")
DIGEST = "1da44b586eb0729ff70a73c326926f6ed5a25f5b056e7f47fbc6e58d86871655"
SIGNATURE = bytes.fromhex(
    "b91467e570a6466aa9e9876cbcd013baba02900b8979d43fe208a4a4f339f5fd6007e74cd82e037b800186422fc2da167c747ef045e5d18a5f5d4300f8e1a0291c"
)
ORDER = 2 * HALF_ORDER + 1
ALICE = member(1)


def test_vector() -> None:
    assert digest_of("Some data").hex() == DIGEST
    assert Account(SECRET).address == ADDRESS
    assert Account(SECRET).sign("Some data") == SIGNATURE
    assert signer_of("Some data", SIGNATURE) == ADDRESS
    assert signer_of("Some data", SIGNATURE[:64] + b"\1") == ADDRESS, "as older wallets write it"


def test_another_text_has_another_signer() -> None:
    assert signer_of("Some Data", SIGNATURE) != ADDRESS


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        SIGNATURE[:-1],
        SIGNATURE + b"\0",
        SIGNATURE[:64] + b"\2",
        SIGNATURE[:64] + b"\x1d",
        bytes(64) + b"\x1b",
        b"\xff" * 64 + b"\x1b",
        SIGNATURE[:32] + bytes(32) + b"\x1b",
        # the other form of the same signature, which the curve would take too
        SIGNATURE[:32] + (ORDER - int.from_bytes(SIGNATURE[32:64], "big")).to_bytes(32, "big") + b"\x1b",
    ],
)
def test_what_is_no_signature(signature: bytes) -> None:
    assert signer_of("Some data", signature) is None


def test_the_words_name_all_that_the_signature_is_for() -> None:
    key = ALICE.key.public
    said = PLACE.registration(ALICE.agent, key, 7)
    for part in ("register", "tests", "1337", ALICE.name, f"0x{key.hex()}", "Issued: 7"):
        assert part in said
    others = {
        PLACE.registration(member(2).agent, key, 7),
        PLACE.registration(ALICE.agent, member(2).key.public, 7),
        PLACE.registration(ALICE.agent, key, 8),
        Place("elsewhere", 1337).registration(ALICE.agent, key, 7),
        Place("tests", 1).registration(ALICE.agent, key, 7),
        Place("tests", None).registration(ALICE.agent, key, 7),
        PLACE.revocation(ALICE.agent, 7),
    }
    assert len(others | {said}) == 8


def test_an_account_keeps_its_key() -> None:
    assert SECRET.hex() not in repr(Account(SECRET))
    with pytest.raises(TypeError):
        pickle.dumps(Account(SECRET))
    for wrong in (b"", bytes(32), b"\xff" * 32, SECRET + b"\0", SECRET[:31]):
        with pytest.raises(KeyMaterialError):
            Account(wrong)
