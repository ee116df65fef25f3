"""An agent's own word for the memory root it anchored: a BLS signature that names the place where the chain holds the root.

Assumes nothing of the chain: that it does hold the root there is for ``connectors.chain.memory_root`` to prove. Invariants:
what is signed is of one length, under a domain of its own, and names chain, holder, agent, block and root, so that a word for
one of them is worth nothing for another; a key or signature that is the point at infinity, or no point of the group, signs
nothing; a document has one spelling.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from streams.errors import ConfigurationError
from streams.identity import bls
from streams.identity.bls import PUBLIC_BYTES, SIGNATURE_BYTES, SecretKey

DOMAIN = b"monmouth/signed-root/1"
FORMAT = "monmouth/signed-root/1"
ADDRESS, HASH = 20, 32
LONGEST = 2_048
"""Bytes of a document."""
MOST = 1 << 64


@dataclass(frozen=True, slots=True)
class RootPlace:
    """A root where it was anchored. ``holder``: the account whose slot it is; ``number``, ``block``: whose state holds it."""

    chain_id: int
    holder: bytes
    agent: bytes
    number: int
    block: bytes
    root: bytes

    def payload(self) -> bytes:
        """What is signed."""
        numbers = self.chain_id.to_bytes(8, "big"), self.number.to_bytes(8, "big")
        return b"".join((DOMAIN, numbers[0], self.holder, self.agent, numbers[1], self.block, self.root))


@dataclass(frozen=True, slots=True)
class SignedRoot:
    """The word itself."""

    place: RootPlace
    public_key: bytes
    signature: bytes

    def holds(self) -> bool:
        """Whether the holder of ``public_key`` signed it. Whose key that is, is for others to say."""
        return bls.verify(self.public_key, self.place.payload(), self.signature)

    def document(self) -> str:
        """One line of JSON."""
        place = self.place
        said = {
            "format": FORMAT,
            "chain_id": place.chain_id,
            "holder": place.holder.hex(),
            "agent": place.agent.hex(),
            "block_number": place.number,
            "block_hash": place.block.hex(),
            "root": place.root.hex(),
            "public_key": self.public_key.hex(),
            "signature": self.signature.hex(),
        }
        return json.dumps(said, separators=(",", ":"))


def sign_root(key: SecretKey, place: RootPlace) -> SignedRoot:
    """The word of whoever has ``key``."""
    return SignedRoot(place, key.public, key.sign(place.payload()))


def read_signed_root(raw: bytes) -> SignedRoot:
    """The inverse of ``document``; says nothing of whether it holds. Raises ConfigurationError for what is no such document."""
    try:
        if len(raw) > LONGEST:
            raise ValueError("size")
        said = json.loads(raw)
        place = RootPlace(
            _number(said["chain_id"]),
            _bytes(said["holder"], ADDRESS),
            _bytes(said["agent"], ADDRESS),
            _number(said["block_number"]),
            _bytes(said["block_hash"], HASH),
            _bytes(said["root"], HASH),
        )
        found = SignedRoot(place, _bytes(said["public_key"], PUBLIC_BYTES), _bytes(said["signature"], SIGNATURE_BYTES))
        if said["format"] != FORMAT or json.loads(found.document()) != said:
            raise ValueError("spelling")
        return found
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ConfigurationError("this is no signed memory root", "`monmouth proof sign` makes one.") from None


def _number(value: Any) -> int:
    if type(value) is not int or not 0 <= value < MOST:
        raise ValueError("number")
    return value


def _bytes(value: Any, size: int) -> bytes:
    raw = bytes.fromhex(value)
    if len(raw) != size or raw.hex() != value:
        raise ValueError("bytes")
    return raw
