"""Facts about memories, as pure functions of one transaction record or one command.

What a transaction leaves with an agent:
  * always an EPISODIC memory of what happened, also of a failure and for a counterparty (ordinal HAPPENED);
  * and, if the agent sent it and it did not fail, what its call asks for (ordinal ASKED): ``storeMemory`` a memory of the given
    type, ``learn`` a SEMANTIC one, ``query`` a SHORT_TERM one with the question, ``execute`` a WORKING one with the task,
    ``forgetMemory`` a DELETE of that id.
Invariant: a fact's owner is the agent of its record, so nobody can write or delete another's memories: stores keep facts by
owner, and an id that is not the owner's has no UPSERT there.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from schemas.defaults import plain_memory
from schemas.records import MEMORY_TYPES, BlockRefRecord, ChainTransaction, Memory, MemoryCommand, MemoryFact, MemoryType
from streams.agents.import_facts import imported_memory
from streams.core.ids import chain_memory_id, command_cause, command_memory_id, transaction_id
from streams.decoding.agent_abi import AGENT_METHODS
from streams.decoding.reading import Reading
from streams.errors import PoisonError

ASKED, HAPPENED = 0, 1
"""Ordinals in ``chain_memory_id``."""
MAX_CONTENT = 65_536
MAX_TAGS = 32
MAX_TAG = 64
MAX_MEDIA_TYPE = 128
MAX_TIMESTAMP = 253_402_300_799
"""Last second of the year 9999."""
ORDERS = frozenset(method.signature for method in AGENT_METHODS)
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
    facts = [_upsert(cause, happened, transaction["block"])]
    if transaction["role"] == "SENDER" and transaction["status"] != 0 and reading.method in ORDERS:
        if reading.intent == "memory_forget":
            owner, memory_id = transaction["agent"], reading.values["memory_id"]
            facts.append(_delete(cause, owner, memory_id, transaction["block"]))
        asked = _asked_for(transaction, reading)
        facts += [_upsert(cause, asked, transaction["block"])] if asked else []
    return facts


def _asked_for(transaction: ChainTransaction, reading: Reading) -> Memory | None:
    """The memory a call of the agents' interface asks for; None for other calls and arguments out of range."""
    values = reading.values
    match reading.intent:
        case "memory_store":
            tags, content = values["tags"], values["content"]
            if values["kind"] >= len(MEMORY_TYPES) or values["importance"] > 10_000 or _wrong_labels(tags, content):
                return None
            importance = values["importance"] / 10_000
            return _remember(transaction, ASKED, MEMORY_TYPES[values["kind"]], content, importance=importance, tags=[*tags])
        case "learn":
            return _spoken(transaction, "SEMANTIC", values, LESSON_IMPORTANCE, "learned")
        case "query":
            return _spoken(transaction, "SHORT_TERM", values, QUESTION_IMPORTANCE, "question")
        case "execute":
            return _spoken(transaction, "WORKING", values, TASK_IMPORTANCE, "task")
    return None


def _spoken(transaction: ChainTransaction, kind: MemoryType, values: Any, importance: float, tag: str) -> Memory | None:
    content = values["text"].encode()
    return (
        None if _wrong_labels([], content) else _remember(transaction, ASKED, kind, content, importance=importance, tags=[tag])
    )


def _wrong_labels(tags: list[str], content: bytes) -> str:
    """What is beyond the limits, or an empty text."""
    if not content or len(content) > MAX_CONTENT:
        return f"content of {len(content)} bytes; 1 to {MAX_CONTENT} are allowed"
    if len(tags) > MAX_TAGS:
        return f"{len(tags)} tags; at most {MAX_TAGS} are allowed"
    if not all(0 < len(tag) <= MAX_TAG for tag in tags):
        return f"a tag that is empty or longer than {MAX_TAG} characters"
    return ""


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
        "media_type": TEXT if _is_text(content) else BYTES,
        "importance": importance,
        "tags": tags,
    }


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def command_facts(key: bytes | None, command: MemoryCommand) -> list[MemoryFact]:
    """Facts of one command. Raises PoisonError, naming what is wrong, for one that may not or cannot be carried out."""
    agent, cause = command["agent"], command_cause(command["agent"], command["id"])
    if key != agent:
        raise PoisonError("a command must have its agent as the record key", "Write it with the agent's 20 bytes as the key.")
    if command["op"] == "FORGET":
        if command["memory_id"] is None:
            raise PoisonError("FORGET names no memory", "Set memory_id.")
        return [_delete(cause, agent, command["memory_id"], None)]
    if command["op"] == "IMPORT":
        return [_upsert(cause, imported_memory(command), None)]
    wrong = _wrong_store(command)
    if wrong:
        raise PoisonError(f"STORE: {wrong}", "Mend the command and send it again under a new id.")
    assert command["type"] is not None
    memory: Memory = {
        **plain_memory(command_memory_id(agent, command["id"]), agent, command["type"], "COMMAND", command["timestamp"]),
        "content": command["content"],
        "media_type": command["media_type"],
        "importance": command["importance"],
        "tags": command["tags"],
    }
    return [_upsert(cause, memory, None)]


def _wrong_store(command: MemoryCommand) -> str:
    """What is wrong with a STORE, or an empty text."""
    if command["type"] is None:
        return "no memory type"
    if command["memory_id"] not in (None, command_memory_id(command["agent"], command["id"])):
        return "memory_id is not the id this command leads to"
    if not (isfinite(command["importance"]) and 0 <= command["importance"] <= 1):
        return f"importance {command['importance']} is not from 0 to 1"
    if not 0 <= command["timestamp"] <= MAX_TIMESTAMP:
        return f"timestamp {command['timestamp']} is not in unix seconds"
    if not 0 < len(command["media_type"]) <= MAX_MEDIA_TYPE:
        return f"a media type that is empty or longer than {MAX_MEDIA_TYPE} characters"
    if command["media_type"].startswith("text/") and not _is_text(command["content"]):
        return f"content is not UTF-8, as {command['media_type']} must be"
    return _wrong_labels(command["tags"], command["content"])


def _upsert(cause: bytes, memory: Memory, block: BlockRefRecord | None) -> MemoryFact:
    return {
        "op": "UPSERT",
        "cause": cause,
        "memory_id": memory["id"],
        "owner": memory["agent"],
        "memory": memory,
        "block": block,
    }


def _delete(cause: bytes, owner: bytes, memory_id: bytes, block: BlockRefRecord | None) -> MemoryFact:
    return {"op": "DELETE", "cause": cause, "memory_id": memory_id, "owner": owner, "memory": None, "block": block}
