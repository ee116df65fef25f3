"""RLP blocks, transactions and receipts, as archives hold them, to ``Block``.

Encodings: yellow paper appendix B, EIP-2718 with types 1 to 4; receipts with their bloom, as era1 files keep them.
Invariant: encoding the result again gives the same bytes (``verify`` does so), or SourceError is raised. Senders are recovered
from the signatures, since RLP does not carry them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import rlp
from rlp.exceptions import DecodingError

from connectors.chain.rlp import encode
from connectors.chain.trie import keccak
from connectors.chain.verify import NEWEST_TYPE, contract_address, header_hash, recover_sender
from schemas.records import HeaderRecord, Log
from streams.core.block import BlockRef
from streams.errors import SourceError
from streams.ports.chain import Block, Transaction

CALL = ("gas", "to", "value", "input")
DYNAMIC = ("tx_chain_id", "nonce", "max_priority_fee_per_gas", "max_fee_per_gas", *CALL, "access_list")
SIGNATURE = ("v", "r", "s")
FIELDS: tuple[tuple[str, ...], ...] = (
    ("nonce", "gas_price", *CALL, *SIGNATURE),
    ("tx_chain_id", "nonce", "gas_price", *CALL, "access_list", *SIGNATURE),
    (*DYNAMIC, *SIGNATURE),
    (*DYNAMIC, "max_fee_per_blob_gas", "blob_versioned_hashes", *SIGNATURE),
    (*DYNAMIC, "authorization_list", *SIGNATURE),
)
"""Names of the RLP items of each transaction type, in order."""


def decode(data: bytes) -> Any:
    """Nested lists of bytes. Raises SourceError."""
    try:
        return rlp.decode(data)
    except DecodingError as error:
        raise SourceError(f"not RLP: {error}") from None


def header(items: Sequence[bytes]) -> HeaderRecord:
    """A header from its RLP items, 15 of them or more, depending on the fork. Raises SourceError."""
    if not 15 <= len(items) <= 21:
        raise SourceError(f"a header of {len(items)} fields")
    number, gas_limit, gas_used, timestamp = (int.from_bytes(item, "big") for item in items[8:12])
    optional = [*items[15:], *([None] * (21 - len(items)))]
    return {
        "parent_hash": items[0],
        "ommers_hash": items[1],
        "beneficiary": items[2],
        "state_root": items[3],
        "transactions_root": items[4],
        "receipts_root": items[5],
        "logs_bloom": items[6],
        "difficulty": items[7],
        "number": number,
        "gas_limit": gas_limit,
        "gas_used": gas_used,
        "timestamp": timestamp,
        "extra_data": items[12],
        "mix_hash": items[13],
        "nonce": items[14],
        "base_fee_per_gas": optional[0],
        "withdrawals_root": optional[1],
        "blob_gas_used": None if optional[2] is None else int.from_bytes(optional[2], "big"),
        "excess_blob_gas": None if optional[3] is None else int.from_bytes(optional[3], "big"),
        "parent_beacon_block_root": optional[4],
        "requests_hash": optional[5],
    }


def ref_of(record: HeaderRecord) -> BlockRef:
    """The name of the block with this header."""
    return BlockRef(record["number"], header_hash(record), record["parent_hash"])


def block(record: HeaderRecord, transactions: Sequence[Any], receipts: Sequence[Any]) -> Block:
    """A whole block from its header and the decoded transaction and receipt lists. Raises SourceError."""
    ref = ref_of(record)
    if len(transactions) != len(receipts):
        raise SourceError(f"block {ref}: {len(transactions)} transactions, {len(receipts)} receipts")
    result: list[Transaction] = []
    used = logs = 0
    for index, (body, receipt) in enumerate(zip(transactions, receipts, strict=True)):
        try:
            tx = transaction(body, index, record["base_fee_per_gas"])
            add_receipt(tx, receipt, used, logs)
        except (ValueError, TypeError, IndexError) as error:
            raise SourceError(f"block {ref}, transaction {index}: {error}") from None
        used, logs = tx["cumulative_gas_used"], logs + len(tx["logs"])
        result.append(tx)
    return Block(ref, record, result)


def _envelope(item: Any) -> tuple[int, list[Any], bytes]:
    """Type, RLP items and raw bytes of a transaction or receipt: a list if legacy, else type byte and RLP in a string."""
    if not isinstance(item, bytes):
        return 0, item, encode(item)
    if not item or not 1 <= item[0] <= NEWEST_TYPE:
        raise ValueError(f"type {item[:1].hex()} is not one of 1 to {NEWEST_TYPE}")
    return item[0], decode(item[1:]), item


def transaction(item: Any, index: int, base_fee: bytes | None) -> Transaction:
    """A transaction without its receipt, as it lies in a block body. Raises ValueError or SourceError."""
    kind, items, raw = _envelope(item)
    if len(items) != len(FIELDS[kind]):
        raise ValueError(f"{len(items)} fields in a transaction of type {kind}")
    field: dict[str, Any] = dict(zip(FIELDS[kind], items, strict=True))
    v = int.from_bytes(field["v"], "big")
    chain = int.from_bytes(field["tx_chain_id"], "big") if kind else ((v - 35) // 2 if v >= 35 else None)
    tx: Transaction = {
        "index": index,
        "hash": keccak(raw),
        "type": kind,
        "sender": b"",
        "to": field["to"] or None,
        "nonce": field["nonce"].rjust(8, b"\0"),
        "value": field["value"],
        "gas": int.from_bytes(field["gas"], "big"),
        "gas_price": field.get("gas_price", b""),
        "max_fee_per_gas": field.get("max_fee_per_gas"),
        "max_priority_fee_per_gas": field.get("max_priority_fee_per_gas"),
        "max_fee_per_blob_gas": field.get("max_fee_per_blob_gas"),
        "input": field["input"],
        "tx_chain_id": chain,
        "access_list": [{"address": a, "storage_keys": list(keys)} for a, keys in field.get("access_list", ())],
        "blob_versioned_hashes": list(field.get("blob_versioned_hashes", ())),
        "authorization_list": [_authorization(entry) for entry in field.get("authorization_list", ())],
        "v": field["v"],
        "r": field["r"],
        "s": field["s"],
        "status": None,
        "post_state_root": None,
        "gas_used": 0,
        "cumulative_gas_used": 0,
        "logs_bloom": b"",
        "contract_address": None,
        "logs": [],
    }
    if kind >= 2:
        tx["gas_price"] = _effective_price(field, base_fee or b"")
    tx["sender"] = recover_sender(tx)
    return tx


def _effective_price(field: dict[str, bytes], base_fee: bytes) -> bytes:
    """EIP-1559: the base fee and the tip, at most the fee cap."""
    cap, tip, base = (int.from_bytes(x, "big") for x in (field["max_fee_per_gas"], field["max_priority_fee_per_gas"], base_fee))
    price = min(cap, base + tip)
    return price.to_bytes((price.bit_length() + 7) // 8, "big")


def _authorization(entry: Sequence[bytes]) -> Any:
    chain_id, delegate, nonce, parity, r, s = entry
    return {
        "chain_id": chain_id,
        "address": delegate,
        "nonce": nonce.rjust(8, b"\0"),
        "y_parity": int.from_bytes(parity, "big"),
        "r": r,
        "s": s,
    }


def add_receipt(tx: Transaction, item: Any, used_before: int, first_log: int) -> None:
    """Fills in the receipt fields of ``tx``. Raises ValueError or SourceError."""
    kind, items, _ = _envelope(item)
    if kind != tx["type"]:
        raise ValueError(f"a receipt of type {kind} for a transaction of type {tx['type']}")
    outcome, cumulative, tx["logs_bloom"], logs = items
    if len(outcome) == 32:
        tx["post_state_root"] = outcome
    else:
        tx["status"] = int.from_bytes(outcome, "big")
    tx["cumulative_gas_used"] = int.from_bytes(cumulative, "big")
    tx["gas_used"] = tx["cumulative_gas_used"] - used_before
    tx["logs"] = [_log(index, log) for index, log in enumerate(logs, first_log)]
    if tx["to"] is None:
        tx["contract_address"] = contract_address(tx["sender"], tx["nonce"])


def _log(index: int, items: Sequence[Any]) -> Log:
    address, topics, data = items
    return {"index": index, "address": address, "topics": list(topics), "data": data}
