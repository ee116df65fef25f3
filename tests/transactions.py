"""Records of chain.transactions made for tests, and real ones read from JSON-RPC dumps."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eth_abi import encode

from schemas.records import ChainTransaction
from streams.decoding.abi import parse_signature
from tests.samples import SAMPLES

AGENT = bytes.fromhex("a1" * 20)
PEER = bytes.fromhex("b2" * 20)
CONTRACT = bytes.fromhex("c3" * 20)
USDC = bytes.fromhex("a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48")
WETH = bytes.fromhex("c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2")


def number(value: int) -> bytes:
    """As the records hold unsigned integers."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def call_data(signature: str, *arguments: Any, selector: bytes | None = None) -> bytes:
    """Selector and encoded arguments."""
    parsed = parse_signature(signature)
    return (selector or parsed.selector) + encode([p.type for p in parsed.parameters], arguments)


def log(address: bytes, signature: str, *indexed: bytes | int, data: bytes = b"") -> dict[str, Any]:
    """One event log; indexed addresses and integers become topics."""
    topics = [t.rjust(32, b"\0") if isinstance(t, bytes) else t.to_bytes(32, "big") for t in indexed]
    return {"index": 0, "address": address, "topics": [parse_signature(signature).hash, *topics], "data": data}


def transfer_log(token: bytes, sender: bytes, recipient: bytes, amount: int) -> dict[str, Any]:
    """ERC-20 Transfer."""
    return log(token, "Transfer(address,address,uint256)", sender, recipient, data=amount.to_bytes(32, "big"))


def chain_transaction(**fields: Any) -> ChainTransaction:
    """A plain, successful call of CONTRACT by AGENT, with ``fields`` changed; ``block`` may be a number."""
    block = fields.pop("block", 1)
    if isinstance(block, int):
        block = {"number": block, "hash": block.to_bytes(32, "big"), "parent": (block - 1).to_bytes(32, "big")}
    base: Any = SAMPLES["ChainTransaction"] | {
        "chain_id": 1, "block": block, "agent": AGENT, "role": "SENDER", "index": 0, "sender": AGENT, "to": CONTRACT,
        "value": b"", "input": b"", "status": 1, "gas_used": 21_000, "logs": [], "contract_address": None, "type": 2,
    }  # fmt: skip
    return base | fields


def mainnet_transactions(folder: Path) -> Iterator[ChainTransaction]:
    """Every transaction of the dumps in ``folder``, as its sender's record; receipts where the dump has them."""
    for path in sorted(folder.glob("*.json.gz")):
        with gzip.open(path) as file:
            dump = json.load(file)
        block = dump.get("block", dump)
        receipts = {receipt["transactionHash"]: receipt for receipt in dump.get("receipts", [])}
        ref = {"number": int(block["number"], 16), "hash": _bytes(block["hash"]), "parent": _bytes(block["parentHash"])}
        for raw in block["transactions"]:
            yield _record(raw, receipts.get(raw["hash"], {}), ref)


def _record(raw: dict[str, Any], receipt: dict[str, Any], ref: dict[str, Any]) -> ChainTransaction:
    tip = raw.get("maxPriorityFeePerGas")
    return chain_transaction(
        block=ref,
        agent=_bytes(raw["from"]),
        sender=_bytes(raw["from"]),
        to=_bytes(raw["to"]) if raw["to"] else None,
        hash=_bytes(raw["hash"]),
        index=int(raw["transactionIndex"], 16),
        value=number(int(raw["value"], 16)),
        input=_bytes(raw["input"]),
        gas_price=number(int(raw.get("gasPrice") or "0x0", 16)),
        max_priority_fee_per_gas=number(int(tip, 16)) if tip else None,
        status=int(receipt["status"], 16) if receipt.get("status") else None,
        gas_used=int(receipt.get("gasUsed", "0x5208"), 16),
        contract_address=_bytes(receipt["contractAddress"]) if receipt.get("contractAddress") else None,
        logs=[rpc_log(entry) for entry in receipt.get("logs", [])],
    )


def rpc_log(entry: dict[str, Any]) -> dict[str, Any]:
    """A log as JSON-RPC gives it."""
    topics = [_bytes(topic) for topic in entry["topics"]]
    return {"index": 0, "address": _bytes(entry["address"]), "topics": topics, "data": _bytes(entry["data"])}


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
