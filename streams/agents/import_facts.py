"""Facts of an IMPORT: a memory as a package or another product holds it.

One that a trusted installation vouches for keeps the id it had there. Any other is a claim (``imported_from`` says of which
file), and gets an id that no memory of the chain, a command or a session can have: it stands beside them, whatever it says and
whichever comes first. It is known from the import on, like what else a command leaves, whatever times the file names; what is
restored of the chain is known by its block.
Assumes whoever wrote the command was entitled to. Invariant: the memory is the agent's own and within the limits of a STORE;
the fact has no block, so no reorganisation takes it back, whatever block the memory says it came from.
"""

from __future__ import annotations

from math import isfinite

from schemas.records import MEMORY_TYPES, Memory, MemoryCommand
from streams.agents.memory_limits import (
    MAX_CONTENT,
    MAX_EDGES,
    MAX_MEDIA_TYPE,
    MAX_STATEMENT,
    MAX_TAG,
    MAX_TAGS,
    MAX_TIMESTAMP,
    MIN_VALID,
)
from streams.core.ids import claimed_id
from streams.core.session import in_zone
from streams.errors import PoisonError


def imported_memory(command: MemoryCommand, known_at: int | None) -> Memory:
    """The memory, under the id it gets. ``known_at``: when the log took the command.

    Raises PoisonError, naming what is wrong.
    """
    memory = command["memory"]
    wrong = "no memory" if memory is None else _wrong(command, memory)
    if wrong or memory is None:
        raise PoisonError(f"IMPORT: {wrong}", "Mend the package and import it again.")
    if memory["imported_from"] is None:
        # What the chain says is known by its block, whichever of the two the log had first.
        return {**memory, "known_at": known_at if memory["block"] is None else None}
    name = claimed_id(memory["agent"], memory["id"], memory["content"])
    return {**memory, "id": name, "known_at": known_at}


def _wrong(command: MemoryCommand, memory: Memory) -> str:
    """What is wrong with it, or an empty text."""
    if memory["agent"] != command["agent"]:
        return "the memory is another agent's"
    if command["memory_id"] != memory["id"]:
        return "memory_id is not the memory's id"
    if memory["type"] not in MEMORY_TYPES or memory["sealed"] is not None:
        return "a memory that this version cannot read"
    if in_zone(memory):
        return "a memory of a session that had not ended"
    if memory["source"] == "CHAIN" and memory["block"] is None:
        return "a memory from the chain without its block"
    return _wrong_size(memory) or _wrong_number(memory)


def _wrong_size(memory: Memory) -> str:
    texts = [memory["subject"] or "", memory["predicate"] or ""]
    limits = (
        ("content", len(memory["content"]), MAX_CONTENT),
        ("a media type", len(memory["media_type"]), MAX_MEDIA_TYPE),
        ("tags", len(memory["tags"]), MAX_TAGS),
        ("a tag", max(map(len, memory["tags"]), default=0), MAX_TAG),
        ("edges", len(memory["edges"]), MAX_EDGES),
        ("a name", max(map(len, [*texts, *(edge["relation"] for edge in memory["edges"])])), MAX_STATEMENT),
    )
    for what, size, limit in limits:
        if size > limit:
            return f"{what} of {size}; at most {limit} are allowed"
    if not memory["media_type"] or not all(memory["tags"]) or (memory["form"] == "MEMORY" and not memory["content"]):
        return "an empty content, tag or media type"
    return "subject and predicate go together" if (memory["subject"] is None) != (memory["predicate"] is None) else ""


def _wrong_number(memory: Memory) -> str:
    shares = [memory["importance"], *(edge["strength"] for edge in memory["edges"])]
    if not all(isfinite(share) and 0 <= share <= 1 for share in shares):
        return "an importance or strength that is not from 0 to 1"
    times = [memory["valid_from"], memory["valid_to"], *(edge["until"] for edge in memory["edges"])]
    valid = all(time is None or MIN_VALID <= time <= MAX_TIMESTAMP for time in times)
    if not valid or not 0 <= memory["timestamp"] <= MAX_TIMESTAMP:
        return "a time that is not in unix seconds"
    starts, ends = memory["valid_from"], memory["valid_to"]
    return "valid_to is not after valid_from" if starts is not None and ends is not None and ends <= starts else ""
