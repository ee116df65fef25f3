"""A transaction as nodes print it in JSON to the record that readers of chain.transactions take.

Takes what eth_getTransactionByHash or a wallet gives: quantities as hex or numbers, ``data`` for ``input``; what a reading does
not need may be missing. Raises BadRequestError for what is no transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.records import ChainTransaction, Log
from streams.core.block import ZERO_HASH
from streams.serving.faults import BadRequestError

UINT256 = 1 << 256
LOGS_LIMIT = 1_024
HINT = "Send the transaction as eth_getTransactionByHash prints it: from, to, value, input; logs if you have the receipt."


def record_of_json(fields: Mapping[str, Any]) -> ChainTransaction:
    """The record, seen by its sender. What is missing is zero or empty."""
    sender = _data(fields, "from", 20)
    to = _data(fields, "to", 20) if fields.get("to") else None
    contract = _data(fields, "contractAddress", 20) if fields.get("contractAddress") else None
    logs = fields.get("logs") or []
    if not isinstance(logs, list) or len(logs) > LOGS_LIMIT or not all(isinstance(log, dict) for log in logs):
        raise BadRequestError(f"logs must be a list of at most {LOGS_LIMIT} logs", HINT)
    return {
        "chain_id": min(_quantity(fields, "chainId", 1), (1 << 63) - 1),
        "block": {"number": 0, "hash": ZERO_HASH, "parent": ZERO_HASH},
        "timestamp": 0,
        "agent": sender,
        "role": "SENDER",
        "index": 0,
        "hash": ZERO_HASH,
        "type": 0,
        "sender": sender,
        "to": to,
        "nonce": _uint(fields, "nonce"),
        "value": _uint(fields, "value"),
        "gas": min(_quantity(fields, "gas"), (1 << 63) - 1),
        "gas_price": _uint(fields, "gasPrice"),
        "max_fee_per_gas": None,
        "max_priority_fee_per_gas": _uint(fields, "maxPriorityFeePerGas") if fields.get("maxPriorityFeePerGas") else None,
        "max_fee_per_blob_gas": None,
        "input": _data(fields, "input" if fields.get("input") is not None else "data"),
        "tx_chain_id": None,
        "access_list": [],
        "blob_versioned_hashes": [],
        "authorization_list": [],
        "v": b"",
        "r": b"",
        "s": b"",
        "status": _quantity(fields, "status") & 1 if fields.get("status") is not None else None,
        "post_state_root": None,
        "gas_used": min(_quantity(fields, "gasUsed"), (1 << 63) - 1),
        "cumulative_gas_used": 0,
        "logs_bloom": bytes(256),
        "contract_address": contract,
        "logs": [_log(index, log) for index, log in enumerate(logs)],
    }


def _log(index: int, fields: Mapping[str, Any]) -> Log:
    topics = fields.get("topics") or []
    if not isinstance(topics, list) or len(topics) > 4:
        raise BadRequestError("a log has at most four topics", HINT)
    return {
        "index": index,
        "address": _data(fields, "address", 20),
        "topics": [_data({"topic": topic}, "topic", 32) for topic in topics],
        "data": _data(fields, "data"),
    }


def _data(fields: Mapping[str, Any], name: str, size: int | None = None) -> bytes:
    text = fields.get(name, "0x" if size is None else None)
    try:
        if not isinstance(text, str) or not text.startswith("0x"):
            raise ValueError
        value = bytes.fromhex(text[2:])
    except ValueError:
        raise BadRequestError(f"{name} must be 0x and hex digits", HINT) from None
    if size is not None and len(value) != size:
        raise BadRequestError(f"{name} must have {size} bytes, not {len(value)}", HINT)
    return value


def _quantity(fields: Mapping[str, Any], name: str, missing: int = 0) -> int:
    given = fields.get(name)
    if given is None:
        return missing
    try:
        value = given if isinstance(given, int) else int(str(given)[:80], 16 if str(given).startswith("0x") else 10)
    except ValueError:
        raise BadRequestError(f"{name} must be a quantity", HINT) from None
    if isinstance(given, bool) or not 0 <= value < UINT256:
        raise BadRequestError(f"{name} must be from 0 below 2^256", HINT)
    return value


def _uint(fields: Mapping[str, Any], name: str) -> bytes:
    value = _quantity(fields, name)
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
