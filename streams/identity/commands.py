"""Signatures on commands: who stands behind a record of memory.commands.

A command carries the BLS signature of its agent (96 bytes), or the Ed25519 signature of a gateway that knows who asked (key id,
then 64 bytes). Both are over a domain string and the record in wire form with its signature null, in the schema version it was
written in, in the clear (what lies in the log is sealed). Invariant: they differ in length, so neither is taken for the other.
"""

from __future__ import annotations

from schemas.codec import codec
from schemas.records import MemoryCommand
from streams.identity import bls
from streams.identity.bls import SecretKey
from streams.signing import KEY_ID_BYTES, Signer, Verifier

DOMAIN = b"monmouth/MemoryCommand/1"
GATEWAY_BYTES = KEY_ID_BYTES + 64


def payload(command: MemoryCommand, raw: bytes = b"") -> bytes:
    """What is signed. ``raw``: the wire form it was read from; without it, it must be one that this process has just made."""
    if not raw or codec().is_current("MemoryCommand", raw):
        return DOMAIN + codec().encode_open("MemoryCommand", {**command, "signature": None})
    return DOMAIN + codec().amend(raw, signature=None)


def sign_as_agent(key: SecretKey, command: MemoryCommand) -> MemoryCommand:
    """``command`` with the agent's own signature."""
    return {**command, "signature": key.sign(payload(command))}


def sign_as_gateway(signer: Signer, command: MemoryCommand) -> MemoryCommand:
    """``command`` with the signature of a gateway."""
    return {**command, "signature": signer.sign_bytes(payload(command))}


def by_agent(public: bytes, command: MemoryCommand, raw: bytes = b"") -> bool:
    """Whether the holder of ``public`` signed it."""
    signature = command["signature"]
    return signature is not None and bls.verify(public, payload(command, raw), signature)


def by_gateway(trusted: Verifier, command: MemoryCommand, raw: bytes = b"") -> bool:
    """Whether a gateway that is trusted signed it."""
    signature = command["signature"]
    if signature is None or len(signature) != GATEWAY_BYTES:
        return False
    return trusted.holds(signature, payload(command, raw))
