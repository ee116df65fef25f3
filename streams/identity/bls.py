"""BLS12-381 signatures, the proof-of-possession scheme (keys in G1, signatures in G2), said strictly.

A wrapper of blspy, which by itself signs with a zero key, takes the point at infinity for a public key, and finds an empty
aggregate valid. Ciphersuite: BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_. Invariants:
  * a key or signature that is not exactly one point of the right subgroup, or is the point at infinity, verifies nothing;
  * a check of nothing is no;
  * a secret key shows in no repr, and does not leave its process but through ``export``.
Keys of others may be aggregated only if each has proved its possession (``verify_possession``).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Any

from blspy import G1Element, G2Element, PopSchemeMPL, PrivateKey

from streams.errors import Category, MonmouthError, Severity

SECRET_BYTES, PUBLIC_BYTES, SIGNATURE_BYTES = 32, 48, 96
ORDER = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
SHORTEST_SEED = 32
INFINITY_FLAG = 0x40
"""Bit of the first byte of a point in its compressed form."""


class KeyMaterialError(MonmouthError):
    """Bytes that are no key or signature to work with. They themselves stay out of the message."""

    category = Category.CONFIGURATION
    severity = Severity.HIGH


class SecretKey:
    """Signs. Made by ``generate``, ``from_seed`` or ``from_bytes``."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Any) -> None:
        self._key = key
        self.public: bytes = bytes(key.get_g1())

    def __repr__(self) -> str:
        return f"SecretKey(of {self.public.hex()})"

    def __reduce__(self) -> str:
        raise TypeError("a secret key does not leave its process")

    @classmethod
    def generate(cls) -> SecretKey:
        """A new one, from the operating system's randomness."""
        return cls.from_seed(secrets.token_bytes(2 * SHORTEST_SEED))

    @classmethod
    def from_seed(cls, seed: bytes) -> SecretKey:
        """The master key of a seed (EIP-2333). Raises KeyMaterialError for one that is too short."""
        if len(seed) < SHORTEST_SEED:
            raise KeyMaterialError(f"a seed has {SHORTEST_SEED} bytes at least")
        return cls.from_bytes(_number_from(seed).to_bytes(SECRET_BYTES, "big"))

    @classmethod
    def from_bytes(cls, raw: bytes) -> SecretKey:
        """The key, a number from 1 to the group's order less one, big-endian. Raises KeyMaterialError."""
        if len(raw) != SECRET_BYTES or not 0 < int.from_bytes(raw, "big") < ORDER:
            raise KeyMaterialError(f"a secret key has {SECRET_BYTES} bytes and lies between 0 and the group's order")
        return cls(PrivateKey.from_bytes(raw))

    def export(self) -> bytes:
        """The key itself, to be kept in a private file."""
        return bytes(self._key)

    def sign(self, message: bytes) -> bytes:
        """96 bytes, the same for the same message."""
        return bytes(PopSchemeMPL.sign(self._key, message))

    def prove_possession(self) -> bytes:
        """96 bytes that show the public key to be no combination of others' keys."""
        return bytes(PopSchemeMPL.pop_prove(self._key))


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the holder of ``public`` signed ``message``."""
    key, point = _public(public), _signature(signature)
    return key is not None and point is not None and bool(PopSchemeMPL.verify(key, message, point))


def verify_possession(public: bytes, proof: bytes) -> bool:
    """Whether ``proof`` is the proof of possession of ``public``."""
    key, point = _public(public), _signature(proof)
    return key is not None and point is not None and bool(PopSchemeMPL.pop_verify(key, point))


def aggregate(signatures: Sequence[bytes]) -> bytes:
    """One signature for all. Raises KeyMaterialError for none, or for one that is not valid by itself."""
    points = [_signature(signature) for signature in signatures]
    if not points or None in points:
        raise KeyMaterialError("signatures to aggregate are one or more, each a point of the subgroup")
    return bytes(PopSchemeMPL.aggregate(points))


def verify_same(publics: Sequence[bytes], message: bytes, signature: bytes) -> bool:
    """Whether each of ``publics``, whose possession was proved, signed this one message."""
    keys, point = [_public(public) for public in publics], _signature(signature)
    if not keys or None in keys or point is None:
        return False
    return bool(PopSchemeMPL.fast_aggregate_verify(keys, message, point))


def verify_each(publics: Sequence[bytes], messages: Sequence[bytes], signature: bytes) -> bool:
    """Whether each of ``publics`` signed the message of its place."""
    keys, point = [_public(public) for public in publics], _signature(signature)
    if not keys or len(keys) != len(messages) or None in keys or point is None:
        return False
    return bool(PopSchemeMPL.aggregate_verify(keys, list(messages), point))


def is_public_key(raw: bytes) -> bool:
    """Whether it is a point that may be somebody's public key."""
    return _public(raw) is not None


def _public(raw: bytes) -> Any | None:
    return _point(G1Element, raw, PUBLIC_BYTES)


def _signature(raw: bytes) -> Any | None:
    return _point(G2Element, raw, SIGNATURE_BYTES)


def _point(kind: Any, raw: bytes, size: int) -> Any | None:
    """The point, if ``raw`` is one of the subgroup in its only compressed form, and not the one at infinity."""
    if len(raw) != size or raw[0] & INFINITY_FLAG:
        return None
    try:
        point = kind.from_bytes(raw)
    except (ValueError, RuntimeError):
        return None
    return point if bytes(point) == raw else None


def _number_from(seed: bytes) -> int:
    """hkdf_mod_r of EIP-2333; blspy's own derivation is that of an earlier draft."""
    salt, number = b"BLS-SIG-KEYGEN-SALT-", 0
    while not number:
        salt = hashlib.sha256(salt).digest()
        extracted = hmac.digest(salt, seed + b"\0", "sha256")
        block, expanded = b"", b""
        for index in (1, 2):
            block = hmac.digest(extracted, block + b"\0\x30" + bytes([index]), "sha256")
            expanded += block
        number = int.from_bytes(expanded[:48], "big") % ORDER
    return number
