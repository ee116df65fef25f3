"""A memory on its way to a program on Solana: one signed record in Borsh, and the account it belongs in.

Layout (Borsh: little-endian, u32 before what varies): version u8, state u8, agent [20], memory id [32], type u8, source u8,
slot u64, block hash [32], timestamp i64, importance u16 (ten-thousandths), media type, content, tags; then the Ed25519 public
key [32] and signature [64] of the sender over a domain and all before it.
``slot`` is the block number halved, as the reference design has it; for a memory of no block it is 0 and the hash is zeros.
This product writes INITIATED records alone; the other states, ``decode``, ``account_of`` and ``may_follow`` are for whoever
receives them and reports how far they came.
Invariant: ``decode(encode(record))`` is the record, every byte is covered by the signature, and what is too long, too short or
out of range is refused.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct, error

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from schemas.records import MEMORY_TYPES, Memory
from streams.core.leaf import SOURCE_CODES
from streams.portability.attest import Attester
from streams.portability.errors import ALTERED, PackageError
from streams.portability.solana import find_program_address

VERSION = 1
DOMAIN = b"monmouth/bridge/solana/1"
SEED = b"monmouth_memory"
LONGEST_CONTENT, LONGEST_TEXT, MOST_TAGS = 65_536, 1_024, 32
SCALE = 10_000
_HEAD = Struct("<BB20s32sBBQ32sqH")
_COUNT = Struct("<I")
KEY, SIGNATURE = 32, 64


class State(IntEnum):
    """How far a transfer is."""

    INITIATED = 0
    LOCKED = 1
    RELAYED = 2
    CONFIRMED = 3
    COMPLETED = 4
    FAILED = 5
    CANCELLED = 6


_NEXT: dict[State, frozenset[State]] = {
    State.INITIATED: frozenset({State.LOCKED, State.FAILED, State.CANCELLED}),
    State.LOCKED: frozenset({State.RELAYED, State.FAILED, State.CANCELLED}),
    State.RELAYED: frozenset({State.CONFIRMED, State.FAILED}),
    State.CONFIRMED: frozenset({State.COMPLETED, State.FAILED}),
}


def may_follow(before: State, after: State) -> bool:
    """Whether a transfer may go from one state to the other; the last three are ends."""
    return after in _NEXT.get(before, frozenset())


@dataclass(frozen=True, slots=True)
class BridgeRecord:
    """One memory as it crosses."""

    state: State
    agent: bytes
    memory_id: bytes
    kind: int
    source: int
    slot: int
    block_hash: bytes
    timestamp: int
    importance: int
    media_type: str
    content: bytes
    tags: tuple[str, ...]

    @classmethod
    def of(cls, memory: Memory, state: State = State.INITIATED) -> BridgeRecord:
        """From a memory."""
        block = memory["block"]
        return cls(
            state,
            memory["agent"],
            memory["id"],
            MEMORY_TYPES.index(memory["type"]),
            SOURCE_CODES[memory["source"]],
            0 if block is None else block["number"] // 2,
            bytes(32) if block is None else block["hash"],
            memory["timestamp"],
            round(SCALE * memory["importance"]),
            memory["media_type"],
            memory["content"],
            tuple(memory["tags"]),
        )


def account_of(program: bytes, record: BridgeRecord) -> tuple[bytes, int]:
    """Address and bump of the account that holds the record on Solana. ``program``: its id, 32 bytes."""
    return find_program_address([SEED, record.agent, record.memory_id], program)


def encode(record: BridgeRecord, key: Attester) -> bytes:
    """The signed record. Raises PackageError for what no record has room for."""
    try:
        head = _HEAD.pack(
            VERSION, record.state, record.agent, record.memory_id, record.kind, record.source, record.slot, record.block_hash,
            record.timestamp, record.importance,
        )  # fmt: skip
    except error:
        raise PackageError("the memory does not fit a bridge record") from None
    texts = [_sized(record.media_type.encode()), _sized(record.content), _COUNT.pack(len(record.tags))]
    body = b"".join([head, *texts, *(_sized(tag.encode()) for tag in record.tags)]) + key.public
    _parsed(body[:-KEY])
    return body + key.sign_bytes(DOMAIN + body)[-SIGNATURE:]


def decode(data: bytes, trusted: Collection[bytes]) -> BridgeRecord:
    """The record, if a key of ``trusted`` signed it. Raises PackageError."""
    body, signature = data[:-SIGNATURE], data[-SIGNATURE:]
    sender = body[-KEY:]
    if sender not in trusted:
        raise PackageError("the bridge record is signed by a key that is not trusted here")
    try:
        Ed25519PublicKey.from_public_bytes(sender).verify(signature, DOMAIN + body)
    except (InvalidSignature, ValueError):
        raise PackageError("the signature of the bridge record does not hold", ALTERED) from None
    return _parsed(body[:-KEY])


def _parsed(body: bytes) -> BridgeRecord:
    try:
        version, state, agent, memory_id, kind, source, slot, block_hash, timestamp, importance = _HEAD.unpack_from(body)
        media, at = _take(body, _HEAD.size, LONGEST_TEXT)
        content, at = _take(body, at, LONGEST_CONTENT)
        (count,), at = _COUNT.unpack_from(body, at), at + _COUNT.size
        if version != VERSION or kind >= len(MEMORY_TYPES) or source >= len(SOURCE_CODES) or importance > SCALE:
            raise ValueError("range")
        if count > MOST_TAGS:
            raise ValueError("tags")
        tags = []
        for _ in range(count):
            tag, at = _take(body, at, LONGEST_TEXT)
            tags.append(tag.decode())
        if at != len(body):
            raise ValueError("length")
        return BridgeRecord(
            State(state), agent, memory_id, kind, source, slot, block_hash, timestamp, importance, media.decode(), content,
            tuple(tags),
        )  # fmt: skip
    except (error, ValueError):
        raise PackageError("the bytes are no bridge record", ALTERED) from None


def _sized(data: bytes) -> bytes:
    return _COUNT.pack(len(data)) + data


def _take(body: bytes, at: int, longest: int) -> tuple[bytes, int]:
    (size,) = _COUNT.unpack_from(body, at)
    end = at + _COUNT.size + size
    if size > longest or end > len(body):
        raise ValueError("size")
    return body[at + _COUNT.size : end], end
