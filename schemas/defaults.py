"""Records with every field at its default, to be filled in: what a writer sets is then what it has to say.

Invariant: a record made of one of these and its required fields holds every field of its schema, so that it goes the codec's
quick way, which takes whole records alone.
"""

from __future__ import annotations

from schemas.records import CommandOp, EdgeKind, Memory, MemoryCommand, MemoryEdge, MemorySource, MemoryType, SessionTerms

NO_TERMS: SessionTerms = {
    "seconds": None,
    "max_memories": None,
    "collaborators": None,
    "context": None,
    "goal": None,
    "promote": None,
    "merge_from": None,
}


def plain_memory(memory_id: bytes, agent: bytes, kind: MemoryType, source: MemorySource, timestamp: int) -> Memory:
    """An empty memory outside the chain."""
    return {
        "id": memory_id,
        "agent": agent,
        "type": kind,
        "source": source,
        "block": None,
        "transaction": None,
        "transaction_index": -1,
        "content": b"",
        "media_type": "text/plain",
        "importance": 0.5,
        "tags": [],
        "timestamp": timestamp,
        "form": "MEMORY",
        "subject": None,
        "predicate": None,
        "valid_from": None,
        "valid_to": None,
        "edges": [],
        "session": None,
        "imported_from": None,
        "sealed": None,
        "known_at": None,
    }


def plain_edge(kind: EdgeKind, target: bytes) -> MemoryEdge:
    """An edge to ``target`` from the memory that holds it."""
    return {"kind": kind, "source": None, "target": target, "relation": "", "strength": 1.0, "until": None}


def plain_command(command_id: bytes, agent: bytes, op: CommandOp, timestamp: int) -> MemoryCommand:
    """A command that says nothing but what it is."""
    return {
        "id": command_id,
        "agent": agent,
        "op": op,
        "memory_id": None,
        "type": None,
        "content": b"",
        "media_type": "text/plain",
        "importance": 0.5,
        "tags": [],
        "timestamp": timestamp,
        "signature": None,
        "subject": None,
        "predicate": None,
        "valid_from": None,
        "valid_to": None,
        "edges": [],
        "session": None,
        "session_terms": None,
        "grant": None,
        "author": None,
        "public_key": None,
        "proof": None,
        "memory": None,
        "sealed": None,
    }
