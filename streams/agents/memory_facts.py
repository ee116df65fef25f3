"""Facts about memories, as pure functions of one transaction record or one command.

What a transaction leaves with an agent:
  * always an EPISODIC memory of what happened, also of a failure and for a counterparty (ordinal HAPPENED);
  * and, if the agent sent it and it did not fail, what its call asks for (ordinal ASKED): ``storeMemory`` a memory of the given
    type, ``learn`` a SEMANTIC one, ``query`` a SHORT_TERM one with the question, ``execute`` a WORKING one with the task,
    ``forgetMemory`` a DELETE of that id; ``linkMemories``, ``invalidateMemory``, ``supersedeMemory`` and ``mergeMemories`` what
    commands of these names leave, under the same limits.
What a command leaves: STORE, SUPERSEDE and MERGE a memory with its edges, LINK and INVALIDATE an amendment, which has nothing
but edges and perhaps a reason, FORGET a DELETE. Each memory says when the log took its command: the time that a command claims
is when something happened, not when it was said. Nothing is ever overwritten: what a later statement means for an earlier one
is for readers to compute (``streams.core.validity``).
Invariant: a fact's owner is the agent of its record, so nobody can write or delete another's memories: stores keep facts by
owner, and an id that is not the owner's has no UPSERT there.
"""

from __future__ import annotations

from typing import Any

from schemas.defaults import plain_command, plain_edge, plain_memory
from schemas.records import (
    MEMORY_TYPES,
    BlockRefRecord,
    ChainTransaction,
    CommandOp,
    Memory,
    MemoryCommand,
    MemoryEdge,
    MemoryFact,
    MemoryType,
)
from streams.agents.import_facts import imported_memory
from streams.agents.memory_limits import AMENDING, EDGES_OF, MAX_TAGS, is_text, wrong_command, wrong_labels
from streams.core.ids import chain_memory_id, command_cause, command_memory_id, eviction_cause, transaction_id
from streams.decoding.agent_abi import CALL_INTERFACE
from streams.decoding.reading import Reading
from streams.errors import PoisonError

ASKED, HAPPENED = 0, 1
"""Ordinals in ``chain_memory_id``."""
ORDERS = frozenset(method.signature for method in CALL_INTERFACE)
"""Only a decoded call is an order; text that reads like one is not."""
TEXT, BYTES = "text/plain", "application/octet-stream"
QUESTION_IMPORTANCE, TASK_IMPORTANCE, LESSON_IMPORTANCE = 0.3, 0.6, 0.7


def transaction_facts(transaction: ChainTransaction, reading: Reading) -> list[MemoryFact]:
    """Facts of one record of chain.transactions."""
    cause = transaction_id(transaction["chain_id"], transaction["block"]["hash"], transaction["index"], transaction["agent"])
    happened = _remember(
        transaction,
        HAPPENED,
        "EPISODIC",
        reading.text.encode(),
        importance=reading.features.importance,
        tags=reading.tags[:MAX_TAGS],
    )
    facts = [upsert_fact(cause, happened, transaction["block"])]
    if transaction["role"] == "SENDER" and transaction["status"] != 0 and reading.method in ORDERS:
        if reading.intent == "memory_forget":
            owner, memory_id = transaction["agent"], reading.values["memory_id"]
            facts.append(delete_fact(cause, owner, memory_id, transaction["block"]))
        asked = _asked_for(transaction, reading)
        facts += [upsert_fact(cause, asked, transaction["block"])] if asked else []
    return facts


def _asked_for(transaction: ChainTransaction, reading: Reading) -> Memory | None:
    """The memory a call of the agents' interface asks for; None for other calls and arguments out of range."""
    values = reading.values
    match reading.intent:
        case "memory_store":
            tags, content = values["tags"], values["content"]
            if values["kind"] >= len(MEMORY_TYPES) or values["importance"] > 10_000 or wrong_labels(tags, content):
                return None
            importance = values["importance"] / 10_000
            return _remember(transaction, ASKED, MEMORY_TYPES[values["kind"]], content, importance=importance, tags=[*tags])
        case "learn":
            return _spoken(transaction, "SEMANTIC", values, LESSON_IMPORTANCE, "learned")
        case "query":
            return _spoken(transaction, "SHORT_TERM", values, QUESTION_IMPORTANCE, "question")
        case "execute":
            return _spoken(transaction, "WORKING", values, TASK_IMPORTANCE, "task")
        case "memory_link":
            edge: MemoryEdge = {
                **plain_edge("LINK", values["target"]),
                "source": values["source"],
                "relation": values["relation"],
            }
            return _related(transaction, "LINK", [edge])
        case "memory_invalidate":
            edges = [plain_edge("INVALIDATES", values["memory_id"])]
            return _related(transaction, "INVALIDATE", edges, content=values["reason"].encode())
        case "memory_supersede":
            return _replacing(transaction, "SUPERSEDE", [plain_edge("SUPERSEDES", values["memory_id"])], values)
        case "memory_merge":
            return _replacing(transaction, "MERGE", [plain_edge("MERGES", one) for one in values["memory_ids"]], values)
    return None


def _replacing(transaction: ChainTransaction, op: CommandOp, edges: list[MemoryEdge], values: Any) -> Memory | None:
    if values["kind"] >= len(MEMORY_TYPES):
        return None
    said = {"type": MEMORY_TYPES[values["kind"]], "importance": values["importance"] / 10_000, "tags": [*values["tags"]]}
    return _related(transaction, op, edges, content=values["content"], **said)


def _related(transaction: ChainTransaction, op: CommandOp, edges: list[MemoryEdge], **said: Any) -> Memory | None:
    """What a command of these words leaves, as a memory of the chain; None where it would be refused."""
    content = said.get("content", b"")
    command: Any = {**plain_command(b"", transaction["agent"], op, transaction["timestamp"]), "edges": edges, **said}
    command["media_type"] = TEXT if is_text(content) else BYTES
    if wrong_command(command):
        return None
    block, index, agent = transaction["block"], transaction["index"], transaction["agent"]
    return {
        **_commanded(command),
        "id": chain_memory_id(transaction["chain_id"], block["hash"], index, agent, ASKED),
        "source": "CHAIN",
        "block": block,
        "transaction": transaction["hash"],
        "transaction_index": index,
    }


def _spoken(transaction: ChainTransaction, kind: MemoryType, values: Any, importance: float, tag: str) -> Memory | None:
    content = values["text"].encode()
    return (
        None if wrong_labels([], content) else _remember(transaction, ASKED, kind, content, importance=importance, tags=[tag])
    )


def _remember(
    transaction: ChainTransaction, ordinal: int, kind: MemoryType, content: bytes, *, importance: float, tags: list[str]
) -> Memory:
    block, index, agent = transaction["block"], transaction["index"], transaction["agent"]
    memory_id = chain_memory_id(transaction["chain_id"], block["hash"], index, agent, ordinal)
    return {
        **plain_memory(memory_id, agent, kind, "CHAIN", transaction["timestamp"]),
        "block": block,
        "transaction": transaction["hash"],
        "transaction_index": index,
        "content": content,
        "media_type": TEXT if is_text(content) else BYTES,
        "importance": importance,
        "tags": tags,
    }


def command_facts(key: bytes | None, command: MemoryCommand, appended: int = 0) -> list[MemoryFact]:
    """Facts of one command. ``appended``: when the broker took it, unix seconds; 0: not known.

    Raises PoisonError, naming what is wrong, for one that may not or cannot be carried out.
    """
    agent, cause = command["agent"], command_cause(command["agent"], command["id"])
    if key != agent:
        raise PoisonError("a command must have its agent as the record key", "Write it with the agent's 20 bytes as the key.")
    if command["op"] == "FORGET":
        if command["memory_id"] is None:
            raise PoisonError("FORGET names no memory", "Set memory_id.")
        return [delete_fact(cause, agent, command["memory_id"], None)]
    if command["op"] == "IMPORT":
        return [upsert_fact(cause, imported_memory(command, appended or None), None)]
    if command["op"] not in EDGES_OF:
        raise PoisonError(f"{command['op']} is no command about memories", "See schemas/MemoryCommand.avsc.")
    wrong = wrong_command(command)
    if wrong:
        raise PoisonError(f"{command['op']}: {wrong}", "Mend the command and send it again under a new id.")
    return [upsert_fact(cause, {**_commanded(command), "known_at": appended or None}, None)]


def _commanded(command: MemoryCommand) -> Memory:
    """The memory, or amendment, of a command that is right."""
    memory_id, kind = command_memory_id(command["agent"], command["id"]), command["type"] or "SEMANTIC"
    return {
        **plain_memory(memory_id, command["agent"], kind, "COMMAND", command["timestamp"]),
        "content": command["content"],
        "media_type": command["media_type"],
        "importance": command["importance"],
        "tags": command["tags"],
        "form": "AMENDMENT" if command["op"] in AMENDING else "MEMORY",
        "subject": command["subject"],
        "predicate": command["predicate"],
        "valid_from": command["valid_from"],
        "valid_to": command["valid_to"],
        "edges": command["edges"],
    }


def evicted(key: bytes | None, fact: MemoryFact) -> list[MemoryFact]:
    """The eviction that was decided. Raises PoisonError for a fact that is none."""
    owner, memory_id = fact["owner"], fact["memory_id"]
    if key != owner or fact != eviction(owner, memory_id):
        raise PoisonError("a fact that is no eviction of a memory by its agent's own limit")
    return [fact]


def eviction(owner: bytes, memory_id: bytes) -> MemoryFact:
    """What takes a memory away where its agent has too many."""
    return delete_fact(eviction_cause(owner, memory_id), owner, memory_id, None)


def upsert_fact(cause: bytes, memory: Memory, block: BlockRefRecord | None) -> MemoryFact:
    """That a memory is there."""
    return {
        "op": "UPSERT",
        "cause": cause,
        "memory_id": memory["id"],
        "owner": memory["agent"],
        "memory": memory,
        "block": block,
    }


def delete_fact(cause: bytes, owner: bytes, memory_id: bytes, block: BlockRefRecord | None) -> MemoryFact:
    """That a memory is forgotten."""
    return {"op": "DELETE", "cause": cause, "memory_id": memory_id, "owner": owner, "memory": None, "block": block}
