"""Ed25519 signatures on what the log says of itself: markers and notifications.

A signature covers a domain string, then the record in Avro with ``key_id`` set and ``signature`` empty, in the schema version
it was written in: a reader of a newer version, which knows more fields, takes the bytes as they lie in the log.
Invariant: a record is trusted only if its key is in the verifier's set and the signature holds over every other field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from schemas.codec import codec
from streams.errors import ConfigurationError, LogIntegrityError
from streams.private_file import make_once, read_secret

KEY_ID_BYTES = 8


def key_id(public: bytes) -> bytes:
    """First 8 bytes of BLAKE3 of the raw public key (32 bytes)."""
    return blake3(public).digest(length=KEY_ID_BYTES)


def _payload(name: str, record: Mapping[str, Any], raw: bytes | None = None) -> bytes:
    if raw is None or codec().is_current(name, raw):  # then the record, decoded once already, says all that the bytes do
        unsigned = codec().encode(name, {**record, "signature": b""})
    else:
        unsigned = codec().amend(raw, signature=b"")
    return f"monmouth/{name}/1".encode() + unsigned


class Signer:
    """Signs records with one private key."""

    def __init__(self, private: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(private)
        self.public = self._key.public_key().public_bytes_raw()
        self.key_id = key_id(self.public)

    def sign(self, name: str, record: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of ``record`` with ``key_id`` and ``signature`` filled in."""
        signed = {**record, "key_id": self.key_id}
        signed["signature"] = self._key.sign(_payload(name, signed))
        return signed

    def sign_bytes(self, message: bytes) -> bytes:
        """Key id and signature of a message that begins with a domain of its own."""
        return self.key_id + self._key.sign(message)


class Verifier:
    """Knows the public keys that may write to the log."""

    def __init__(self, trusted: Iterable[bytes]) -> None:
        self._keys = {key_id(public): Ed25519PublicKey.from_public_bytes(public) for public in trusted}

    @property
    def publics(self) -> frozenset[bytes]:
        """The public keys that are trusted, 32 bytes each."""
        return frozenset(key.public_bytes_raw() for key in self._keys.values())

    def verify(self, name: str, record: Mapping[str, Any], raw: bytes | None = None) -> None:
        """Raises LogIntegrityError if the key is not trusted or the signature does not hold.

        ``raw``: the bytes that ``record`` was read from; without them it must be one that this process has just made.
        """
        key = self._keys.get(record["key_id"])
        if key is None:
            raise LogIntegrityError(
                f"{name} {record['sequence']} is signed by unknown key {record['key_id'].hex()}",
                "Add the writer's public key to the trusted keys file if it is yours; else the log was forged.",
            )
        try:
            key.verify(record["signature"], _payload(name, record, raw))
        except InvalidSignature:
            raise LogIntegrityError(f"{name} {record['sequence']}: the signature does not hold; the log was altered") from None

    def holds(self, signed: bytes, message: bytes) -> bool:
        """Whether ``signed``, of ``Signer.sign_bytes``, is by a trusted key over ``message``."""
        key = self._keys.get(signed[:KEY_ID_BYTES])
        if key is None:
            return False
        try:
            key.verify(signed[KEY_ID_BYTES:], message)
        except InvalidSignature:
            return False
        return True


def _row_payload(name: str, row: Mapping[str, Any]) -> bytes:
    return f"monmouth/{name}/1".encode() + codec().encode_open(name, {**row, "signature": None})


def signed_row(name: str, row: Mapping[str, Any], signer: Signer | None) -> dict[str, Any]:
    """A row of a compacted topic with the signature of the worker that publishes it; without ``signer`` with none."""
    return {**row, "signature": None if signer is None else signer.sign_bytes(_row_payload(name, row))}


def row_holds(name: str, row: Mapping[str, Any], trusted: Verifier) -> bool:
    """Whether a worker that is trusted signed the row as it stands."""
    signature: bytes | None = row["signature"]
    return signature is not None and trusted.holds(signature, _row_payload(name, row))


def load_or_create_signer(path: Path) -> Signer:
    """The signer whose 32-byte seed lies in ``path`` as hex; made (0600) if there is none. Raises ConfigurationError."""
    try:
        make_once(path, lambda: Ed25519PrivateKey.generate().private_bytes_raw().hex() + "\n")
        return Signer(bytes.fromhex(read_secret(path, "signing key")))
    except OSError as error:
        raise ConfigurationError(f"signing key {path} is not usable: {error.strerror or error}") from None
    except ValueError:  # the text itself stays out of the message
        raise ConfigurationError(
            f"signing key {path} is not 64 hex digits",
            "Restore it from a backup, or move it away: a new one must then be trusted by all readers.",
        ) from None


def load_verifier(trusted: Path, *own: Signer) -> Verifier:
    """Trusts the keys in ``trusted`` (one hex public key a line, # comments) and ``own``."""
    try:
        lines = trusted.read_text().splitlines() if trusted.exists() else []
        keys = [bytes.fromhex(line.split("#")[0].strip()) for line in lines if line.split("#")[0].strip()]
        return Verifier([*keys, *(signer.public for signer in own)])
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"trusted keys {trusted}: {error}", "One 64-digit hex public key a line.") from None
