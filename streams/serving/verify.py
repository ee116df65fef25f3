"""What a client can check on its own of an answer with a proof.

Assumes trust in a root, which must come from elsewhere (the topic memory.roots, or a chain). Raises ProofRefusedError, never
anything else, for an answer that does not show what it claims.
"""

from __future__ import annotations

import struct
from base64 import b64decode
from typing import TypeVar
from uuid import UUID

from schemas.defaults import plain_memory
from schemas.records import BlockRefRecord, Memory, MemoryEdge
from streams.core.block import BlockRef
from streams.core.leaf import value_of
from streams.core.log_entry import entry_hash
from streams.core.merkle.document import ConsistencyDocument, EntryDocument, MemberDocument, ProofError, parse
from streams.errors import Category, MonmouthError, Severity
from streams.serving.addresses import to_hex
from streams.serving.wire import Block, ConsistencyView, EdgeView, EntryProofView, MemoryView, ProofView

D = TypeVar("D", MemberDocument, EntryDocument, ConsistencyDocument)

LOG_HINT = "Do not rely on this answer; compare the gateway's log with memory.roots, and with the roots you kept."


class ProofRefusedError(MonmouthError):
    """An answer does not prove what it claims."""

    category = Category.EXTERNAL
    severity = Severity.CRITICAL


def verify_proof(answer: ProofView, memory: MemoryView | None = None, trusted_root: str | None = None) -> None:
    """Checks the proof against the root in the answer and ``trusted_root``, and, if given, that it is about ``memory``."""
    hint = "Do not rely on this answer; compare the gateway's root with memory.roots."
    document = _document(answer.proof, MemberDocument, hint)
    root = to_hex(document.root)
    if root != answer.root.merkle_root or (trusted_root is not None and root != trusted_root.lower()):
        raise ProofRefusedError(f"the proof is for root {root}, not the one published or trusted", hint)
    if answer.present != (document.value is not None):
        raise ProofRefusedError("the proof shows the opposite of what the answer says", hint)
    if memory is not None and not commits_to(answer, document, memory):
        raise ProofRefusedError(f"the proof is not about memory {memory.id} as it was read", hint)


def verify_entry(
    answer: EntryProofView, partition: int, index: int, size: int | None = None, trusted_root: str | None = None
) -> None:
    """Checks that the entry asked for is the one proved, and the log the one answered or trusted."""
    document = _document(answer.proof, EntryDocument)
    entry = answer.entry
    try:
        block = BlockRef(entry.block.number, _bytes(entry.block.hash), _bytes(entry.block.parent))
        leaf = entry_hash(entry.partition, block, _bytes(entry.checksum))
    except (ValueError, OverflowError):
        raise ProofRefusedError("the answer holds no entry", LOG_HINT) from None
    if (entry.partition, entry.index, document.index) != (partition, index, index) or leaf != document.leaf:
        raise ProofRefusedError(f"the proof is not about entry {index} of partition {partition}", LOG_HINT)
    if document.size != answer.size or (size is not None and document.size != size):
        raise ProofRefusedError(f"the proof is for a log of {document.size} entries, not the one asked for", LOG_HINT)
    _demand_root(document.root, answer.root, trusted_root)


def verify_consistency(answer: ConsistencyView, partition: int, first: int, first_root: str, size: int | None = None) -> None:
    """Checks that the log of ``first`` entries and ``first_root``, which the caller trusts, begins the one answered."""
    document = _document(answer.proof, ConsistencyDocument)
    if (answer.partition, document.first, answer.first) != (partition, first, first):
        raise ProofRefusedError(f"the proof is not about the first {first} entries of partition {partition}", LOG_HINT)
    if document.size != answer.size or (size is not None and document.size != size):
        raise ProofRefusedError(f"the proof leads to a log of {document.size} entries, not the one asked for", LOG_HINT)
    _demand_root(document.first_root, answer.first_root, first_root)
    _demand_root(document.root, answer.root, None)


def _document(proof: object, kind: type[D], hint: str = LOG_HINT) -> D:
    try:
        document = parse(proof)
    except ProofError as error:
        raise ProofRefusedError(f"the answer holds no proof: {error}", hint) from None
    if not isinstance(document, kind) or not document.holds():
        raise ProofRefusedError("the proof does not hold", hint)
    return document


def _demand_root(proved: bytes, answered: str, trusted: str | None) -> None:
    if to_hex(proved) != answered or (trusted is not None and proved.hex() != trusted.lower().removeprefix("0x")):
        raise ProofRefusedError(f"the proof is for root {to_hex(proved)}, not the one published or trusted", LOG_HINT)


def commits_to(answer: ProofView, document: MemberDocument, memory: MemoryView) -> bool:
    """Whether the value proved is the commitment to ``memory``, opened by the answer's key."""
    if answer.opening is None or document.value is None or memory.id != answer.memory_id or memory.agent != answer.agent:
        return False
    try:
        return value_of(_bytes(answer.opening), record_of(memory)) == document.value
    except (ValueError, struct.error):  # no digits, no base64, numbers beyond any record
        return False


def record_of(view: MemoryView) -> Memory:
    """The inverse of MemoryView.of. Raises ValueError for digits or base64 that are none."""
    cited = view.citation
    return {
        **plain_memory(_bytes(view.id), _bytes(view.agent), view.type, cited.source, view.timestamp),
        "block": _block(cited.block),
        "transaction": _bytes(cited.transaction) if cited.transaction else None,
        "transaction_index": -1 if cited.transaction_index is None else cited.transaction_index,
        "content": view.text.encode() if view.text is not None else b64decode(view.content_base64 or "", validate=True),
        "media_type": view.media_type,
        "importance": view.importance,
        "tags": list(view.tags),
        "form": view.form,
        "subject": view.subject,
        "predicate": view.predicate,
        "valid_from": view.valid_from,
        "valid_to": view.valid_to,
        "edges": [_edge(edge) for edge in view.edges],
        "session": UUID(view.session).bytes if view.session is not None else None,
        "imported_from": _bytes(view.imported_from) if view.imported_from is not None else None,
    }


def _edge(view: EdgeView) -> MemoryEdge:
    return {
        "kind": view.kind,
        "source": _bytes(view.source) if view.source is not None else None,
        "target": _bytes(view.target),
        "relation": view.relation,
        "strength": view.strength,
        "until": view.until,
    }


def _block(block: Block | None) -> BlockRefRecord | None:
    return None if block is None else {"number": block.number, "hash": _bytes(block.hash), "parent": _bytes(block.parent)}


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
