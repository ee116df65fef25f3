"""What sealing costs: records through the codec with keys and without, in one process, turn by turn.

    .venv/bin/python -m perf.sealing [--records 5000] [--agents 200]

Prints microseconds a record and the ratio to the same records in the clear. The limit beside it is AES-256-GCM of the same
bytes alone, by the library that sealing uses.
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.codec import Codec
from schemas.defaults import plain_memory
from streams.vault.keys import FileKeyStore
from streams.vault.master import MasterKey
from streams.vault.sealing import SealingCodec

ROUNDS = 5
TEXT = b"swapped 2 ETH for 5,000 DAI on Uniswap, since the price of gas had fallen below what it was in the morning"


def facts(count: int, agents: int) -> list[dict[str, Any]]:
    owners = [secrets.token_bytes(20) for _ in range(agents)]
    found = []
    for number in range(count):
        owner, memory_id = owners[number % agents], secrets.token_bytes(32)
        memory = {**plain_memory(memory_id, owner, "EPISODIC", "CHAIN", number), "content": TEXT, "tags": ["swap", "eth"]}
        found.append(
            {"op": "UPSERT", "cause": memory_id, "memory_id": memory_id, "owner": owner, "memory": memory, "block": None}
        )
    return found


def micros(work: Callable[[Any], object], items: Sequence[Any]) -> float:
    """Microseconds an item."""
    started = time.perf_counter()
    for item in items:
        work(item)
    return 1e6 * (time.perf_counter() - started) / len(items)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=5_000)
    parser.add_argument("--agents", type=int, default=200)
    arguments = parser.parse_args()
    records = facts(arguments.records, arguments.agents)
    with tempfile.TemporaryDirectory() as folder:
        keys = FileKeyStore(Path(folder) / "agents.keys", lambda: MasterKey(secrets.token_bytes(32)))
        sealing, plain = SealingCodec(keys), Codec()
        started = time.perf_counter()
        sealing.prepare({record["owner"] for record in records})
        print(f"keys of {arguments.agents} new agents, one write: {1e3 * (time.perf_counter() - started):.1f} ms")
        report(sealing, plain, records)


def report(sealing: SealingCodec, plain: Codec, records: Sequence[dict[str, Any]]) -> None:
    sealed, clear = ([codec.encode("MemoryFact", record) for record in records] for codec in (sealing, plain))
    bare, nonce = AESGCM(secrets.token_bytes(32)), secrets.token_bytes(12)
    rows: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, work, items in (
            ("write sealed", lambda record: sealing.encode("MemoryFact", record), records),
            ("write in the clear", lambda record: plain.encode("MemoryFact", record), records),
            ("read sealed", sealing.decode, sealed),
            ("read in the clear", plain.decode, clear),
            ("AES-256-GCM alone", lambda wire: bare.encrypt(nonce, wire, None), clear),
        ):
            rows.setdefault(name, []).append(micros(work, items))
    cost = {name: median(values) for name, values in rows.items()}
    for name, value in cost.items():
        print(f"{name:<20} {value:7.1f} us a record")
    for verb in ("write", "read"):
        print(f"{verb}: sealed / clear = {cost[f'{verb} sealed'] / cost[f'{verb} in the clear']:.2f}")
    sizes = [sum(map(len, wires)) / len(wires) for wires in (sealed, clear)]
    print(f"bytes: {sizes[0]:.0f} sealed, {sizes[1]:.0f} in the clear")


if __name__ == "__main__":
    main()
