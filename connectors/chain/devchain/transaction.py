"""Signed transactions: legacy with EIP-155 and dynamic fee (EIP-1559), as raw bytes, hash and fields.

Signatures are deterministic (RFC 6979), so the same fields and key give the same hash everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import rlp
from coincurve import PrivateKey
from eth_hash.auto import keccak

LEGACY = 0
DYNAMIC_FEE = 2


class Account:
    """A key and its address, both from a seed. For test chains only: whoever knows the seed has the key."""

    __slots__ = ("address", "key")

    def __init__(self, secret: bytes) -> None:
        self.key = PrivateKey(secret)
        self.address = bytes(keccak(self.key.public_key.format(compressed=False)[1:])[12:])


@dataclass(frozen=True, slots=True)
class Transaction:
    """Fees in wei for each gas; ``v`` is the parity for type 2, chain_id * 2 + 35 + parity for type 0."""

    type: int
    chain_id: int
    nonce: int
    max_fee: int
    tip: int
    gas: int
    to: bytes
    value: int
    data: bytes
    sender: bytes
    v: int
    r: int
    s: int
    raw: bytes
    hash: bytes

    def price(self, base_fee: int) -> int:
        """What the sender pays for each gas in a block with this base fee."""
        return self.max_fee if self.type == LEGACY else min(self.max_fee, base_fee + self.tip)


class Unsigned(NamedTuple):
    """What is signed. ``type`` 0 or 2; a legacy one pays ``max_fee`` and has no tip."""

    type: int
    chain_id: int
    nonce: int
    max_fee: int
    tip: int
    gas: int
    to: bytes
    value: int
    data: bytes


def sign(account: Account, unsigned: Unsigned) -> Transaction:
    """The transaction signed with the account's key."""
    kind, chain_id, nonce, max_fee, tip, *call = unsigned
    if kind == LEGACY:
        fields = [nonce, max_fee, *call]
        digest = keccak(rlp.encode([*fields, chain_id, 0, 0]))
    else:
        fields = [chain_id, nonce, tip, max_fee, *call, []]
        digest = keccak(b"\x02" + rlp.encode(fields))
    signature = account.key.sign_recoverable(digest, hasher=None)
    r, s, parity = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64]
    v = chain_id * 2 + 35 + parity if kind == LEGACY else parity
    body = rlp.encode([*fields, v, r, s])
    raw = body if kind == LEGACY else b"\x02" + body
    return Transaction(*unsigned, account.address, v, r, s, raw, bytes(keccak(raw)))
