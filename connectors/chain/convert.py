"""JSON-RPC answers (eth_getBlockByHash with full transactions, eth_getBlockReceipts) to ``Block``.

Assumes decoded JSON of unknown honesty. Invariant: returns a block whose transactions, receipts and logs all name this block
and agree with each other, or raises SourceError that says what is wrong; it never guesses a missing field.
The inner loops are plain dicts and slices, and what repeats is remembered: this is where the producer spends its time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from connectors.chain.verify import NEWEST_TYPE
from schemas.records import Access, Authorization, HeaderRecord, Log
from streams.core.block import BlockRef
from streams.errors import SourceError
from streams.ports.chain import Block, Transaction

LONG = 1 << 63
CACHED = 16_384


def data(text: str) -> bytes:
    """Bytes of any length from 0x-hex."""
    if text[:2] != "0x":
        raise ValueError(f"not hex data: {text[:40]!r}")
    return bytes.fromhex(text[2:])


def hash32(text: str) -> bytes:
    """32 bytes from 0x-hex."""
    if len(text) != 66 or text[:2] != "0x":
        raise ValueError(f"not a 32-byte hash: {text[:80]!r}")
    return bytes.fromhex(text[2:])


@lru_cache(maxsize=CACHED)
def address(text: str) -> bytes:
    """20 bytes from 0x-hex."""
    if len(text) != 42 or text[:2] != "0x":
        raise ValueError(f"not an address: {text[:80]!r}")
    return bytes.fromhex(text[2:])


@lru_cache(maxsize=CACHED)
def quantity(text: str) -> int:
    """A count that fits a signed 64-bit integer."""
    if text[:2] != "0x" or len(text) > 66:
        raise ValueError(f"not a quantity: {text[:40]!r}")
    value = int(text, 16)
    if value >= LONG:
        raise ValueError(f"quantity {text[:40]} does not fit 63 bits")
    return value


def uint256(text: str) -> bytes:
    """An unsigned 256-bit integer, big-endian without leading zeros."""
    if text[:2] != "0x" or len(text) > 66:
        raise ValueError(f"not a quantity: {text[:80]!r}")
    digits = text[2:].lstrip("0")
    return bytes.fromhex(digits if len(digits) % 2 == 0 else "0" + digits)


usual_uint256 = lru_cache(maxsize=CACHED)(uint256)
"""The same for what repeats: prices, amounts, parities."""


@lru_cache(maxsize=CACHED // 16)
def _bloom(text: str) -> bytes:
    return data(text)


def bloom(text: str) -> bytes:
    """A logs bloom. Most are empty, or of the same log of the same contract."""
    return _bloom(text) if len(text) == 514 else data(text)


def uint64(text: str) -> bytes:
    """An unsigned 64-bit integer as 8 bytes."""
    if text[:2] != "0x":
        raise ValueError(f"not a quantity: {text[:40]!r}")
    return int(text, 16).to_bytes(8, "big")


def block_ref(answer: Any) -> BlockRef:
    """The name of a block answer, full or not. Raises SourceError."""
    try:
        return BlockRef(quantity(answer["number"]), hash32(answer["hash"]), hash32(answer["parentHash"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"the source sent something that is no block: {_say(error)}") from None


def header_record(answer: dict[str, Any]) -> HeaderRecord:
    """Every field that enters the header hash; optional ones None where the answer lacks them."""

    def maybe(name: str, convert: Any) -> Any:
        value = answer.get(name)
        return None if value is None else convert(value)

    return {
        "parent_hash": hash32(answer["parentHash"]),
        "ommers_hash": hash32(answer["sha3Uncles"]),
        "beneficiary": address(answer["miner"]),
        "state_root": hash32(answer["stateRoot"]),
        "transactions_root": hash32(answer["transactionsRoot"]),
        "receipts_root": hash32(answer["receiptsRoot"]),
        "logs_bloom": data(answer["logsBloom"]),
        "difficulty": uint256(answer["difficulty"]),
        "number": quantity(answer["number"]),
        "gas_limit": quantity(answer["gasLimit"]),
        "gas_used": quantity(answer["gasUsed"]),
        "timestamp": quantity(answer["timestamp"]),
        "extra_data": data(answer["extraData"]),
        "mix_hash": hash32(answer["mixHash"]),
        "nonce": _nonce(answer["nonce"]),
        "base_fee_per_gas": maybe("baseFeePerGas", uint256),
        "withdrawals_root": maybe("withdrawalsRoot", hash32),
        "blob_gas_used": maybe("blobGasUsed", quantity),
        "excess_blob_gas": maybe("excessBlobGas", quantity),
        "parent_beacon_block_root": maybe("parentBeaconBlockRoot", hash32),
        "requests_hash": maybe("requestsHash", hash32),
    }


def _nonce(text: str) -> bytes:
    value = data(text)
    if len(value) != 8:
        raise ValueError(f"header nonce of {len(value)} bytes")
    return value


def to_block(answer: Any, receipts: Any) -> Block:
    """A whole block. Raises SourceError."""
    ref = block_ref(answer)
    try:
        header = header_record(answer)
        transactions = _transactions(answer, receipts)
    except SourceError as error:
        raise SourceError(f"block {ref}: {error.message}", error.hint) from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise SourceError(f"block {ref}: the answer is not usable: {_say(error)}") from None
    return Block(ref, header, transactions)


def _say(error: Exception) -> str:
    return f"field {error} is missing" if isinstance(error, KeyError) else f"{error}"[:300]


def _transactions(answer: dict[str, Any], receipts: Any) -> list[Transaction]:
    bodies = answer["transactions"]
    if not isinstance(bodies, list) or not isinstance(receipts, list) or len(bodies) != len(receipts):
        raise SourceError("transactions and receipts are not two lists of the same length")
    result: list[Transaction] = []
    logs = 0
    block_hash = answer["hash"]
    for index, (body, receipt) in enumerate(zip(bodies, receipts, strict=True)):
        if body["blockHash"] != block_hash or receipt["blockHash"] != block_hash:
            raise SourceError(f"transaction {index} or its receipt is of another block")
        if receipt["transactionHash"] != body["hash"]:
            raise SourceError(f"the receipt of transaction {index} is of another transaction")
        if int(body["transactionIndex"], 16) != index or int(receipt["transactionIndex"], 16) != index:
            raise SourceError(f"transaction {index} says it stands elsewhere")
        result.append(transaction(body, receipt, logs))
        logs += len(receipt["logs"])
    return result


def transaction(body: dict[str, Any], receipt: dict[str, Any], first_log: int) -> Transaction:
    """One transaction with its receipt; ``first_log`` is the number of logs in the block before it."""
    get, got = body.get, receipt.get
    kind = int(get("type") or "0x0", 16)
    if not 0 <= kind <= NEWEST_TYPE:
        raise SourceError(f"transaction type {kind} is not one of 0 to {NEWEST_TYPE}")
    to, status, created = body["to"], got("status"), got("contractAddress")
    dynamic = kind >= 2
    gas_price = (got("effectiveGasPrice") or body["gasPrice"]) if dynamic else body["gasPrice"]
    parity = get("yParity") if kind else None
    return {
        "index": int(body["transactionIndex"], 16),
        "hash": hash32(body["hash"]),
        "type": kind,
        "sender": address(body["from"]),
        "to": None if to is None else address(to),
        "nonce": uint64(body["nonce"]),
        "value": usual_uint256(body["value"]),
        "gas": quantity(body["gas"]),
        "gas_price": usual_uint256(gas_price),
        "max_fee_per_gas": usual_uint256(body["maxFeePerGas"]) if dynamic else None,
        "max_priority_fee_per_gas": usual_uint256(body["maxPriorityFeePerGas"]) if dynamic else None,
        "max_fee_per_blob_gas": uint256(body["maxFeePerBlobGas"]) if kind == 3 else None,
        "input": data(body["input"]),
        "tx_chain_id": quantity(body["chainId"]) if kind else _legacy_chain(body["v"]),
        "access_list": _access_list(get("accessList")) if kind else [],
        "blob_versioned_hashes": [hash32(h) for h in body["blobVersionedHashes"]] if kind == 3 else [],
        "authorization_list": _authorizations(body["authorizationList"]) if kind == 4 else [],
        "v": usual_uint256(parity if parity is not None else body["v"]),
        "r": uint256(body["r"]),
        "s": uint256(body["s"]),
        "status": None if status is None else quantity(status),
        "post_state_root": hash32(receipt["root"]) if status is None else None,
        "gas_used": quantity(receipt["gasUsed"]),
        "cumulative_gas_used": quantity(receipt["cumulativeGasUsed"]),
        "logs_bloom": bloom(receipt["logsBloom"]),
        "contract_address": None if created is None else address(created),
        "logs": _logs(receipt, first_log),
    }


def _legacy_chain(v: str) -> int | None:
    """The chain id that EIP-155 hides in v, if it does."""
    value = int(v, 16)
    return (value - 35) // 2 if value >= 35 else None


def _logs(receipt: dict[str, Any], first: int) -> list[Log]:
    result: list[Log] = []
    owner = receipt["blockHash"], receipt["transactionHash"]
    for index, log in enumerate(receipt["logs"], first):
        if int(log["logIndex"], 16) != index or log.get("removed"):
            raise SourceError(f"log {index} is out of order or removed")
        if (log.get("blockHash", owner[0]), log.get("transactionHash", owner[1])) != owner:
            raise SourceError(f"log {index} is of another transaction or block")
        topics = [hash32(topic) for topic in log["topics"]]
        result.append({"index": index, "address": address(log["address"]), "topics": topics, "data": data(log["data"])})
    return result


def _access_list(entries: Sequence[dict[str, Any]] | None) -> list[Access]:
    return [
        {"address": address(entry["address"]), "storage_keys": [hash32(key) for key in entry["storageKeys"]]}
        for entry in entries or ()
    ]


def _authorizations(entries: Sequence[dict[str, Any]]) -> list[Authorization]:
    return [
        {
            "chain_id": uint256(entry["chainId"]),
            "address": address(entry["address"]),
            "nonce": uint64(entry["nonce"]),
            "y_parity": quantity(entry["yParity"]),
            "r": uint256(entry["r"]),
            "s": uint256(entry["s"]),
        }
        for entry in entries
    ]
