"""Accounts and storage slots proved against a block's state root: eth_getProof (EIP-1186), checked node by node.

Assumes trust in the block's hash alone; what the node says of values is not read, only what its proofs show.
Invariant: a value returned is the one under that root, an absence (None, zero) is a proven absence; anything else raises
SourceError, whatever the node sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import rlp
from trie.hexary import HexaryTrie

from connectors.chain.convert import block_ref, data, header_record
from connectors.chain.trie import keccak
from connectors.chain.verify import header_hash
from schemas.records import HeaderRecord
from streams.core.block import BlockRef
from streams.errors import SourceError

MAX_NODES = 65  # a path has 64 nibbles
MAX_NODE = 1_024  # a branch of 16 hashes has 532 bytes
HASH = 32
HINT = "The node answers falsely, or the block left its chain meanwhile: ask again, or ask another node."


@dataclass(frozen=True, slots=True)
class Account:
    """What the state holds of an account."""

    nonce: int
    balance: int
    storage_root: bytes
    code_hash: bytes


def checked_header(answer: Any, wanted: bytes | None = None) -> tuple[BlockRef, HeaderRecord]:
    """Name and header of a block answer whose hash was recomputed, and is ``wanted`` if given. Raises SourceError."""
    if not isinstance(answer, dict):
        raise SourceError("the node knows no such block", "Is it synced, and is this its chain?")
    ref = block_ref(answer)
    try:
        header = header_record(answer)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"the node sent something that is no header: {error}") from None
    if header_hash(header) != ref.hash:
        raise SourceError(f"the header of block {ref.number} does not hash to {ref.hash.hex()}", HINT)
    if wanted is not None and ref.hash != wanted:
        raise SourceError(f"asked for block {wanted.hex()}, the node sent {ref.hash.hex()}", HINT)
    return ref, header


def proof_nodes(answer: Any) -> list[bytes]:
    """The nodes of one proof. Raises SourceError."""
    try:
        nodes = [data(node) for node in answer]
    except (TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"the node sent something that is no proof: {error}") from None
    if len(nodes) > MAX_NODES or any(len(node) > MAX_NODE for node in nodes):
        raise SourceError(f"the node sent a proof of {len(nodes)} nodes, {sum(map(len, nodes))} bytes: no proof is that large")
    return nodes


def prove_account(state_root: bytes, address: bytes, nodes: Sequence[bytes]) -> Account | None:
    """The account; None if the state has none. Raises SourceError if the proof does not show either."""
    value = _proved(state_root, address, nodes)
    if not value:
        return None
    try:
        nonce, balance, storage_root, code_hash = rlp.decode(value)
    except (rlp.DecodingError, ValueError) as error:
        raise SourceError(f"what lies at the path of {address.hex()} is no account: {error}", HINT) from None
    if len(storage_root) != HASH or len(code_hash) != HASH:
        raise SourceError(f"what lies at the path of {address.hex()} is no account", HINT)
    return Account(int.from_bytes(nonce, "big"), int.from_bytes(balance, "big"), storage_root, code_hash)


def prove_slot(storage_root: bytes, slot: int, nodes: Sequence[bytes]) -> bytes:
    """The 32 bytes of a storage slot, zeros if it was never set. Raises SourceError if the proof does not show them."""
    value = _proved(storage_root, slot.to_bytes(HASH, "big"), nodes)
    try:
        word = rlp.decode(value) if value else b""
    except rlp.DecodingError as error:
        raise SourceError(f"what lies at slot {slot:#x} is no word: {error}", HINT) from None
    if not isinstance(word, bytes) or len(word) > HASH:
        raise SourceError(f"what lies at slot {slot:#x} is no word", HINT)
    return word.rjust(HASH, b"\0")


def _proved(root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes:
    try:
        decoded = [rlp.decode(node) for node in nodes]
        value: bytes = HexaryTrie.get_from_proof(root, keccak(key), decoded)  # type: ignore[no-untyped-call]
    except Exception as error:  # rlp and trie raise many kinds on hostile nodes; none of them is a proof
        raise SourceError(
            f"the proof of {key.hex()} does not lead from root {root.hex()}: {type(error).__name__}", HINT
        ) from None
    return value
