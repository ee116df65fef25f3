"""Messages: who signed one, what an answer is sealed with, what is too old or too large.

A request carries a public key made for it alone (X25519); only who made it can open the answer, so that memories lie in the
topic as sealed as anywhere else, and nobody can open them once that key is gone.
Invariants: a signature covers every other field, in the clear; an answer opens only with the key of its request, and only as
the answer to it; neither side unpacks more than ``LARGEST`` bytes.
"""

from __future__ import annotations

import secrets
import zlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from schemas.codec import codec
from schemas.records import Message
from streams.identity import bls
from streams.identity.bls import SecretKey
from streams.signing import KEY_ID_BYTES, Signer, Verifier

VERSION = 1
GATEWAY = "gateway"
CLIENT = "client"
"""What names of askers begin with, before a dash."""
DOMAIN = b"monmouth/Message/1"
SEAL = b"monmouth/Message/1 answer"
QUESTION_LIMIT = 16 * 1024
ANSWER_LIMIT = 1024 * 1024
LARGEST = 16 * 1024 * 1024
PUBLIC = 32
WRITER_BYTES = KEY_ID_BYTES + 64


def new_id() -> bytes:
    """Of a message."""
    return secrets.token_bytes(16)


def payload(message: Message, raw: bytes | None = None) -> bytes:
    """What is signed. ``raw``: the wire form it was read from, if it was."""
    if raw is None or codec().is_current("Message", raw):
        return DOMAIN + codec().encode("Message", {**message, "signature": None})
    return DOMAIN + codec().amend(raw, signature=None)


def signed(message: Message, signer: Signer | SecretKey) -> Message:
    """By a key that may write to the log, or by an agent's."""
    said = payload(message)
    return {**message, "signature": signer.sign(said) if isinstance(signer, SecretKey) else signer.sign_bytes(said)}


def by_writer(trusted: Verifier, message: Message, raw: bytes | None = None) -> bool:
    """Whether a trusted key signed it."""
    signature = message["signature"]
    if signature is None or message["agent"] is not None or len(signature) != WRITER_BYTES:
        return False
    return trusted.holds(signature, payload(message, raw))


def by_agent(public: bytes, message: Message, raw: bytes | None = None) -> bool:
    """Whether the holder of an agent's key signed it."""
    signature = message["signature"]
    return signature is not None and message["agent"] is not None and bls.verify(public, payload(message, raw), signature)


def sealed(answer: bytes, request: Message) -> bytes:
    """``answer`` compressed, for the eyes of who asked: an own public key (32 bytes), then ciphertext.

    Raises ValueError where the request names no key that can be sealed to.
    """
    own = X25519PrivateKey.generate()
    public = own.public_key().public_bytes_raw()
    shared = own.exchange(X25519PublicKey.from_public_bytes(request["reply_key"] or b""))
    return public + AESGCM(_key(shared, request["id"])).encrypt(bytes(12), zlib.compress(answer, 1), request["id"])


def opened(wire: bytes, key: X25519PrivateKey, request: bytes) -> bytes:
    """The inverse, for who made the request of this id. Raises ValueError."""
    try:
        shared = key.exchange(X25519PublicKey.from_public_bytes(wire[:PUBLIC]))
        packed = AESGCM(_key(shared, request)).decrypt(bytes(12), wire[PUBLIC:], request)
    except InvalidTag:
        raise ValueError("the answer does not open") from None
    unpacker = zlib.decompressobj()
    try:
        answer = unpacker.decompress(packed, LARGEST)
    except zlib.error as error:
        raise ValueError(f"the answer does not unpack: {error}") from None
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise ValueError(f"the answer has more than {LARGEST} bytes")
    return answer


def _key(shared: bytes, request: bytes) -> bytes:
    """One key for one answer, so that a fixed nonce serves: the sender's part of ``shared`` is new each time."""
    return HKDF(SHA256(), 32, salt=request, info=SEAL).derive(shared)
