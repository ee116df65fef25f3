"""Memories for packages: of every type and form, with every field somewhere."""

from __future__ import annotations

from random import Random

from schemas.defaults import plain_edge, plain_memory
from schemas.records import MEMORY_TYPES, Memory

AGENT = b"\x0a" * 20


def memories(count: int = 12, seed: int = 1) -> list[Memory]:
    random = Random(seed)
    found = []
    for number in range(count):
        memory = plain_memory(random.randbytes(32), AGENT, MEMORY_TYPES[number % 6], "COMMAND", 1_700_000_000 + number)
        memory["content"] = f"naïve memory {number} ☕\n\u2028".encode() if number % 3 else random.randbytes(20)
        memory["media_type"] = "text/plain" if number % 3 else "application/octet-stream"
        memory["importance"] = random.random()
        memory["tags"] = ["swap", "größe"][: number % 3]
        if number % 4 == 1:
            memory["source"] = "CHAIN"
            memory["block"] = {"number": number, "hash": random.randbytes(32), "parent": random.randbytes(32)}
            memory["transaction"], memory["transaction_index"] = random.randbytes(32), number
        if number % 4 == 2:
            memory["subject"], memory["predicate"], memory["valid_from"], memory["valid_to"] = "alice", "lives in", 5, 9
            memory["session"] = random.randbytes(16)
        if number % 4 == 3:
            memory["form"] = "AMENDMENT"
            memory["edges"] = [{**plain_edge("LINK", found[0]["id"]), "relation": "follows", "strength": 0.25, "until": 7}]
        found.append(memory)
    return found
