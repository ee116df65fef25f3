"""Sealing of bytes under one agent's key: AES-256-GCM with a synthetic nonce.

The nonce is a keyed BLAKE3 of everything that goes in: place, agent, id, open part, plaintext. So sealing the same record again
gives the same bytes, as replays, idempotent writers and content digests of markers need, and one nonce never serves two
plaintexts (96 bits: for 2^32 records of one agent the odds of a repeat are 2^-33). What it tells an observer is whether two
sealings of one and the same id are equal. No counter is needed, which processes that share a key could not keep.
What is bound as associated data: form, key version, place (the kind of record), agent, id, and the open part; so nothing sealed
can be moved to another memory, agent or kind of record.
"""

from __future__ import annotations

from struct import Struct

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from streams.core.sealed import SEALED
from streams.vault.errors import VaultError

KEY_BYTES = 32
NONCE = 12
TAG = 16
_HEAD = Struct(">cIB")
_LENGTHS = Struct(">III")
_ENCRYPTION = "monmouth streams.vault 1 encryption of an agent's records"
_NONCES = "monmouth streams.vault 1 nonces of an agent's records"
_ID = "monmouth streams.vault 1 id of an agent's key"


class Box:
    """One version of one agent's key. Threads may share it."""

    __slots__ = ("_aead", "_nonces", "key_id", "version")

    def __init__(self, version: int, key: bytes) -> None:
        self.version = version
        self.key_id = key_id(key)
        self._aead = AESGCM(blake3(key, derive_key_context=_ENCRYPTION).digest())
        self._nonces = blake3(key, derive_key_context=_NONCES).digest()

    def __repr__(self) -> str:
        return f"Box({self.version})"

    def seal(self, place: bytes, plaintext: bytes, opened: bytes = b"") -> bytes:
        """``place``: kind of record, agent and id. ``opened``: at most 255 bytes that stay in the clear."""
        head = _HEAD.pack(SEALED, self.version, len(opened)) + opened
        said = head + place
        nonce = blake3(_LENGTHS.pack(len(head), len(place), len(plaintext)) + said + plaintext, key=self._nonces).digest(NONCE)
        return head + nonce + self._aead.encrypt(nonce, plaintext, said)

    def open(self, place: bytes, sealed: bytes) -> bytes:
        """The plaintext. Raises VaultError if it was sealed elsewhere, by another key, or altered."""
        head = _HEAD.size + sealed[_HEAD.size - 1]
        try:
            return self._aead.decrypt(sealed[head : head + NONCE], sealed[head + NONCE :], sealed[:head] + place)
        except (InvalidTag, ValueError):
            raise VaultError(
                "sealed bytes do not open: another installation's key sealed them, or they were altered",
                "Do all processes use one keys folder? See 'Keys' in docs/security.md.",
            ) from None


def key_id(key: bytes) -> bytes:
    """8 bytes that name a key and tell nothing of it."""
    return blake3(key, derive_key_context=_ID).digest(length=8)


def version_of(sealed: bytes) -> int:
    """The key version it was sealed with. Raises VaultError for bytes that nobody sealed."""
    if len(sealed) < _HEAD.size or len(sealed) < _HEAD.size + sealed[_HEAD.size - 1] + NONCE + TAG:
        raise VaultError("bytes too short to be sealed")
    form, version, _ = _HEAD.unpack_from(sealed)
    if form != SEALED:
        raise VaultError(f"sealed in form {form[0]}, which this version does not know")
    return int(version)


def open_part(sealed: bytes) -> bytes:
    """What stays in the clear of ``sealed``."""
    return sealed[_HEAD.size : _HEAD.size + sealed[_HEAD.size - 1]]
