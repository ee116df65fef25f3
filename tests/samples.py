"""One full sample of each record type, every optional field set; what golden files and codec tests are made of."""

from __future__ import annotations

from typing import Any


def h(n: int) -> bytes:
    return bytes([n]) * 32


def a(n: int) -> bytes:
    return bytes([n]) * 20


BLOCK: dict[str, Any] = {"number": 17, "hash": h(1), "parent": h(2)}
OLDER: dict[str, Any] = {"number": 16, "hash": h(2), "parent": h(3)}
HEADER: dict[str, Any] = {
    "parent_hash": h(2), "ommers_hash": h(4), "beneficiary": a(1), "state_root": h(5), "transactions_root": h(6),
    "receipts_root": h(7), "logs_bloom": bytes(256), "difficulty": b"\x01\x00", "number": 17, "gas_limit": 30_000_000,
    "gas_used": 21_000, "timestamp": 1_700_000_000, "extra_data": b"x", "mix_hash": h(8), "nonce": bytes(8),
    "base_fee_per_gas": b"\x07", "withdrawals_root": h(9), "blob_gas_used": 0, "excess_blob_gas": 0,
    "parent_beacon_block_root": h(10), "requests_hash": h(11),
}  # fmt: skip
EDGE: dict[str, Any] = {
    "kind": "LINK", "source": h(27), "target": h(28), "relation": "follows", "strength": 0.5, "until": 1_710_000_000,
}  # fmt: skip
MEMORY: dict[str, Any] = {
    "id": h(20), "agent": a(2), "type": "SEMANTIC", "source": "CHAIN", "block": BLOCK, "transaction": h(21),
    "transaction_index": 3, "content": "naïve ☕".encode(), "media_type": "text/plain", "importance": 0.75,
    "tags": ["swap", "eth"], "timestamp": 1_700_000_000, "form": "MEMORY", "subject": "alice", "predicate": "lives in",
    "valid_from": 1_690_000_000, "valid_to": 1_710_000_000, "edges": [EDGE], "session": bytes(range(16)),
    "imported_from": h(26), "sealed": b"sealed", "known_at": 1_700_000_100,
}  # fmt: skip
IMPORTED = {name: value for name, value in MEMORY.items() if name != "known_at"}
"""In a command, which is not in the log yet."""
STANDING: dict[str, Any] = {
    "transactions": 3, "failures": 1, "whale": 2, "complex_ops": 1, "gas": 90_000, "volume": b"\x0f\x42\x40",
    "reputation": 600_000_000_000, "first": 1_690_000_000, "last": 1_700_000_000,
}  # fmt: skip
SAMPLES: dict[str, dict[str, Any]] = {
    "BlockNotification": {
        "step": "UNDO", "chain_id": 1337, "sequence": 9, "block": BLOCK, "head": OLDER, "final": OLDER, "header": HEADER,
        "removed": [BLOCK], "ancestor": OLDER, "transactions": 2, "records": 3, "key_id": bytes(8), "signature": bytes(64),
    },
    "Marker": {
        "step": "NEW", "chain_id": 1337, "sequence": 9, "topic": "chain.transactions", "partition": 1, "block": BLOCK,
        "head": BLOCK, "final": OLDER, "timestamp": 1_700_000_000, "count": 2, "digest": h(12), "removed": [BLOCK],
        "ancestor": OLDER, "key_id": bytes(8), "signature": bytes(64),
    },
    "ChainTransaction": {
        "chain_id": 1337, "block": BLOCK, "timestamp": 1_700_000_000, "agent": a(2), "role": "SENDER", "index": 3,
        "hash": h(21), "type": 4, "sender": a(2), "to": a(3), "nonce": bytes(7) + b"\x05", "value": b"\x0d\xe0",
        "gas": 50_000, "gas_price": b"\x3b", "max_fee_per_gas": b"\x77", "max_priority_fee_per_gas": b"\x01",
        "max_fee_per_blob_gas": b"\x01", "input": b"\xa9\x05\x9c\xbb", "tx_chain_id": 1337,
        "access_list": [{"address": a(4), "storage_keys": [h(13)]}], "blob_versioned_hashes": [h(14)],
        "authorization_list": [
            {"chain_id": b"\x05\x39", "address": a(5), "nonce": bytes(8), "y_parity": 1, "r": b"\x01", "s": b"\x02"}
        ],
        "v": b"\x01", "r": b"\x01", "s": b"\x02", "status": 1, "post_state_root": h(15), "gas_used": 40_000,
        "cumulative_gas_used": 61_000, "logs_bloom": bytes(256), "contract_address": a(6),
        "logs": [{"index": 0, "address": a(3), "topics": [h(16)], "data": b"\x01"}],
    },
    "Memory": MEMORY,
    "MemoryFact": {"op": "UPSERT", "cause": h(22), "memory_id": h(20), "owner": a(2), "memory": MEMORY, "block": BLOCK},
    "MemoryCommand": {
        "id": bytes(16), "agent": a(2), "op": "STORE", "memory_id": h(20), "type": "WORKING", "content": b"hi",
        "media_type": "text/plain", "importance": 0.5, "tags": ["x"], "timestamp": 1_700_000_000, "signature": bytes(96),
        "subject": "alice", "predicate": "lives in", "valid_from": 1_690_000_000, "valid_to": 1_710_000_000, "edges": [EDGE],
        "session": bytes(range(16)),
        "session_terms": {
            "seconds": 60, "max_memories": 10, "collaborators": [a(7)], "context": "c", "goal": "g", "promote": True,
            "merge_from": bytes(16),
        },
        "grant": {"grantee": a(7), "rights": ["read"], "namespace": "shared", "until": 1_710_000_000},
        "author": a(7), "public_key": bytes(48), "proof": bytes(96), "memory": IMPORTED, "sealed": b"sealed",
    },
    "AgentAccess": {
        "agent": a(2), "public_key": bytes(48), "since": 1_700_000_000,
        "grants": [
            {"grantee": a(7), "rights": ["read"], "namespace": "shared", "until": 1_710_000_000, "since": 1_700_000_000}
        ],
        "signature": bytes(72),
    },
    "Session": {
        "id": bytes(range(16)), "agent": a(2), "state": "MERGED", "opened": 1_700_000_000, "expires": 1_700_003_600,
        "ended": 1_700_000_100, "max_memories": 10, "collaborators": [a(7)], "context": "c", "goal": "g", "promote": False,
        "merged_into": bytes(16), "count": 3, "taken": 5, "signature": bytes(72),
        "sealed": b"sealed",
    },
    "Intent": {
        "chain_id": 1337, "block": BLOCK, "timestamp": 1_700_000_000, "agent": a(2), "transaction": h(21),
        "transaction_index": 3, "intent": "transfer", "confidence": 1.0, "method": "transfer(address,uint256)",
        "slots": {"amount": "5"}, "text": "sent 5", "alternatives": [{"intent": "swap", "confidence": 0.25}],
    },
    "Embedding": {
        "memory_id": h(20), "agent": a(2), "block": BLOCK, "vector": bytes(1536), "model": "all-MiniLM-L6-v2",
        "model_hash": h(17), "backend": "onnx-fp32", "text_digest": h(18), "sealed": b"sealed",
    },
    "GraphEdge": {
        "id": h(29), "source": a(2), "target": a(3), "kind": "TRANSFER", "target_kind": "ACCOUNT", "block": BLOCK,
        "timestamp": 1_700_000_000, "transaction": h(21), "transaction_index": 3, "ordinal": 0, "succeeded": True,
        "gas_used": 21_000, "token": a(4), "amount": b"\x05", "event": "Transfer", "arguments": {"token_id": "7"},
        "events": 2, "volume": b"\x0a", "weight": 500_000_000_000, "strength": 750_000_000_000, "first": 1_690_000_000,
        "standing": STANDING,
    },
    "AgentProfile": {
        "agent": a(2), "block": BLOCK, "standing": STANDING, "specialisation": "whale", "edges": 4,
        "identities": [{"registry": a(8), "agent_id": b"\x07", "owner": a(2), "uri": "ipfs://x", "wallet": a(9)}],
        "capabilities": ["swap"], "feedback_given": 1, "anps": 12.5,
    },
    "Erasure": {"agent": a(2), "command": b"c" * 16, "timestamp": 1_700_000_000, "memories": 3},
    "SchemaEntry": {
        "kind": "VERSION", "subject": "monmouth.dlq-value", "version": 2, "id": 11, "schema": '"string"', "deleted": True,
        "setting": "",
    },
    "LatticeRoot": {
        "agent": a(2), "count": 1, "lattice": bytes(2048), "checksum": h(19), "merkle_root": h(23), "block": BLOCK,
    },
    "LatticeLog": {"partition": 1, "index": 4, "block": BLOCK, "checksum": h(19), "root": h(25)},
    "Checkpoint": {
        "stream_agent": "memory", "partition": 1, "slot": "17", "sequence": 9, "block": BLOCK,
        "topic": "chain.transactions", "start_offset": 100, "marker_offset": 102, "offsets": {"chain.transactions": 103},
        "count": 2, "digest": h(12), "state_digest": h(24), "live": True,
        "timestamp": 1_700_000_000, "parent_timestamp": 1_699_999_988,
    },
    "Message": {
        "id": b"m" * 16,
        "type": "STATE_SYNC",
        "source": "client",
        "target": "gateway",
        "timestamp": 1_700_000_000,
        "version": 1,
        "answers": None,
        "deadline": 1_700_000_005_000,
        "agent": a(2),
        "reply_key": b"k" * 32,
        "payload": b"{}",
        "signature": b"s" * 96,
    },
    "Replay": {
        "stream_agent": "memory", "partition": 1, "id": "0f1e", "phase": "REDOING", "block": 12, "until": 15,
        "start_offset": 70, "goal_offset": 103, "undone": 6, "total": 6, "reason": "",
    },
    "BridgedMemory": {"agent": a(2), "memory_id": h(20), "payload": b"borsh"},
    "MetricReport": {
        "component": "worker", "instance": "w1", "at_ms": 1_700_000_000_250, "started_ms": 1_699_999_000_000,
        "samples": [
            {"name": "monmouth_rag_queries_total", "kind": "COUNTER", "labels": {"way": "rest"}, "value": 3.0},
            {"name": "monmouth_latency_bucket", "kind": "HISTOGRAM", "labels": {"le": "+Inf"}, "value": 7.0},
        ],
        "dropped": 1,
    },
    "HealthReport": {
        "component": "gateway", "instance": "host:17", "at_ms": 1_700_000_000_250, "status": "degraded", "score": 0.5,
        "parts": [{"name": "broker", "status": "failed", "score": 0.0, "detail": "no answer", "seconds": 3.0}],
    },
    "AlertRecord": {
        "rule": "HighLatency", "labels": {"component": "gateway"}, "severity": "warning", "state": "firing",
        "at_ms": 1_700_000_000_250, "value": 120.5, "summary": "p95 is 120.5",
    },
    "OpsWindow": {
        "kind": "rate", "series": 'monmouth_rag_queries_total{component="gateway"}', "name": "monmouth_rag_queries_total",
        "labels": {"component": "gateway"}, "seconds": 10, "start_ms": 1_700_000_000_000, "at_ms": 1_700_000_009_250,
        "closed": True, "samples": 10, "values": {"rate": 2.5, "increase": 25.0},
    },
    "DeadLetter": {
        "topic": "monmouth.memory.commands", "partition": 1, "offset": 5, "stream_agent": "memory", "error": "SchemaError",
        "reason": "unknown schema id 99", "attempts": 1, "key": a(2), "value": b"junk", "truncated": False, "size": 4,
    },
}  # fmt: skip
