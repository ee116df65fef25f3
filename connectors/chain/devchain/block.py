"""Headers, receipts and blocks of a chain after Prague, hashed as Ethereum hashes them.

Invariant: ``Block.hash`` is the keccak of the RLP of the 21 header fields; the roots commit to the transactions and receipts
that the block holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256

import rlp
from eth_hash.auto import keccak
from trie.hexary import HexaryTrie

from connectors.chain.devchain.contracts.abi import Log
from connectors.chain.devchain.ledger import EMPTY_ROOT
from connectors.chain.devchain.transaction import LEGACY, Transaction
from streams.core.block import BlockRef

NO_OMMERS = bytes(keccak(rlp.encode([])))
NO_REQUESTS = sha256(b"").digest()
ELASTICITY = 2
BASE_FEE_CHANGE = 8
GENESIS_BASE_FEE = 10**9


@dataclass(frozen=True, slots=True)
class Header:
    """The fields in the order they are hashed in. ``timestamp`` in seconds, ``base_fee`` in wei for each gas."""

    parent: bytes
    beneficiary: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    bloom: bytes
    number: int
    gas_limit: int
    gas_used: int
    timestamp: int
    extra: bytes
    randao: bytes
    base_fee: int
    beacon_root: bytes

    def fields(self) -> list[bytes | int]:
        """All 21 fields; those of proof of work, withdrawals, blobs and requests have their empty values."""
        return [
            self.parent, NO_OMMERS, self.beneficiary, self.state_root, self.transactions_root, self.receipts_root,
            self.bloom, 0, self.number, self.gas_limit, self.gas_used, self.timestamp, self.extra, self.randao, bytes(8),
            self.base_fee, EMPTY_ROOT, 0, 0, self.beacon_root, NO_REQUESTS,
        ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Receipt:
    """``status`` 1 or 0; ``gas_used`` of the transaction alone."""

    type: int
    status: int
    gas_used: int
    cumulative_gas_used: int
    bloom: bytes
    logs: tuple[Log, ...]

    def encode(self) -> bytes:
        """As the receipts trie holds it (EIP-2718)."""
        logs = [[log.address, list(log.topics), log.data] for log in self.logs]
        body: bytes = rlp.encode([self.status, self.cumulative_gas_used, self.bloom, logs])
        return body if self.type == LEGACY else bytes([self.type]) + body


@dataclass(frozen=True, slots=True)
class Block:
    """Header, body and receipts. ``size`` is the length of the RLP of the block."""

    header: Header
    transactions: tuple[Transaction, ...]
    receipts: tuple[Receipt, ...]
    hash: bytes = field(init=False)
    size: int = field(init=False)

    def __post_init__(self) -> None:
        fields = self.header.fields()
        object.__setattr__(self, "hash", bytes(keccak(rlp.encode(fields))))
        body = [rlp.decode(t.raw) if t.type == LEGACY else t.raw for t in self.transactions]
        object.__setattr__(self, "size", len(rlp.encode([fields, body, [], []])))

    @property
    def number(self) -> int:
        """Height."""
        return self.header.number

    @property
    def ref(self) -> BlockRef:
        """Its name."""
        return BlockRef(self.header.number, self.hash, self.header.parent)


@lru_cache(maxsize=4096)
def _bits(item: bytes) -> int:
    digest = keccak(item)
    return sum({1 << (int.from_bytes(digest[i : i + 2], "big") & 2047) for i in (0, 2, 4)})


def bloom_of(logs: Iterable[Log]) -> bytes:
    """The 2,048-bit filter over addresses and topics (yellow paper, M3:2048)."""
    bloom = 0
    for log in logs:
        bloom |= _bits(log.address)
        for topic in log.topics:
            bloom |= _bits(topic)
    return bloom.to_bytes(256, "big")


def ordered_root(items: Sequence[bytes]) -> bytes:
    """Root of the trie from RLP(index) to item."""
    trie = HexaryTrie({})
    for index, item in enumerate(items):
        trie[rlp.encode(index)] = item
    return bytes(trie.root_hash)


def next_base_fee(parent: Header) -> int:
    """EIP-1559: moves by at most an eighth, towards a half-full block."""
    target = parent.gas_limit // ELASTICITY
    delta = parent.base_fee * abs(parent.gas_used - target) // target // BASE_FEE_CHANGE
    if parent.gas_used == target:
        return parent.base_fee
    return parent.base_fee + max(delta, 1) if parent.gas_used > target else parent.base_fee - delta
