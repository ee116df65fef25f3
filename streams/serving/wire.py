"""Shapes of requests and answers: what the routes take and give, and what the Python client returns.

Addresses, ids and hashes are 0x-hex strings; timestamps unix seconds; opaque content is base64.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from schemas.records import Memory, MemorySource, MemoryType
from streams.core.block import BlockRef
from streams.serving.addresses import to_hex

CONTENT_LIMIT = 64 * 1024
QUERY_LIMIT = 4_096
RESULTS_LIMIT = 100
LIST_LIMIT = 1_000
TAGS_LIMIT = 32
WAIT_LIMIT = 30.0


def _encodable(text: str) -> str:
    """JSON can spell half of a surrogate pair, which is no character and has no UTF-8 form."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds a character that does not exist") from None
    return text


Text = Annotated[str, AfterValidator(_encodable)]


class Wire(BaseModel):
    """Base of all shapes; fields nobody knows are refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Answer(BaseModel):
    """Base of answers; a newer server may say more than this client knows."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ErrorBody(Answer):
    """Every error. ``error`` is for programs, ``message`` and ``hint`` for people."""

    error: str
    message: str
    hint: str = ""


class Block(Answer):
    """A block."""

    number: int
    hash: str
    parent: str

    @classmethod
    def of(cls, ref: BlockRef | None) -> Block | None:
        """From a BlockRef."""
        return None if ref is None else cls(number=ref.number, hash=to_hex(ref.hash), parent=to_hex(ref.parent))


class AsOf(Answer):
    """The point of the log an answer is true for."""

    sequence: int | None
    head: Block | None


class QueryRequest(Wire):
    """A question about an agent's memories."""

    query: str = Field(min_length=1, max_length=QUERY_LIMIT, description="In words.")
    max_results: int = Field(10, ge=1, le=RESULTS_LIMIT)
    min_similarity: float | None = Field(None, ge=-1, le=1, description="Least cosine; None takes the server's setting.")
    max_tokens: int | None = Field(None, ge=1, description="Bound on the tokens of all texts; None takes the server's setting.")


class Citation(Answer):
    """Where a memory comes from. All but ``memory_id`` and ``source`` are null for a memory that a command stored."""

    memory_id: str
    source: MemorySource
    block: Block | None
    transaction: str | None
    transaction_index: int | None

    @classmethod
    def of(cls, memory: Memory) -> Citation:
        """From the record."""
        chain = memory["source"] == "CHAIN"
        return cls(
            memory_id=to_hex(memory["id"]),
            source=memory["source"],
            block=Block.of(BlockRef.of(memory["block"])) if memory["block"] else None,
            transaction=to_hex(memory["transaction"]) if memory["transaction"] else None,
            transaction_index=memory["transaction_index"] if chain else None,
        )


class ContextItem(Answer):
    """One memory found. ``score`` orders the items; ``similarity`` is the cosine alone."""

    text: str
    score: float
    similarity: float
    tokens: int
    type: MemoryType
    importance: float
    tags: list[str]
    timestamp: int
    citation: Citation

    @property
    def memory_id(self) -> str:
        """Of the memory cited."""
        return self.citation.memory_id

    @property
    def block(self) -> Block | None:
        """The block cited; None for a memory that a command stored."""
        return self.citation.block


class Context(Answer):
    """The answer to a query. ``tokens``: of all texts together; ``left_out``: items that matched but went over the budget."""

    agent: str
    query: str
    items: list[ContextItem]
    tokens: int
    left_out: int
    as_of: AsOf


class StoreRequest(Wire):
    """A memory to keep. Exactly one of ``text`` and ``content_base64``."""

    text: Text | None = Field(None, description="Content as text.")
    content_base64: str | None = Field(None, description="Content as bytes, in base64.")
    media_type: Text = Field("text/plain", min_length=1, max_length=128)
    type: MemoryType = "LONG_TERM"
    importance: float = Field(0.5, ge=0, le=1)
    tags: list[Text] = Field(default_factory=list, max_length=TAGS_LIMIT)
    timestamp: int | None = Field(None, ge=0, le=2**53, description="Unix seconds; None is now.")
    command_id: str | None = Field(None, description="UUID; repeat one to be sure that a retry stores nothing twice.")
    wait: float = Field(0, ge=0, le=WAIT_LIMIT, description="Seconds to wait until reads show the memory.")


class Receipt(Answer):
    """A command the log has acknowledged. ``visible``: reads show its effect already."""

    command_id: str
    memory_id: str
    visible: bool


class MemoryView(Answer):
    """A live memory. ``text`` for text media types, else ``content_base64``."""

    id: str
    agent: str
    type: MemoryType
    text: str | None
    content_base64: str | None
    media_type: str
    importance: float
    tags: list[str]
    timestamp: int
    citation: Citation

    @classmethod
    def of(cls, memory: Memory) -> MemoryView:
        """From the record."""
        text = text_of(memory)
        return cls(
            id=to_hex(memory["id"]),
            agent=to_hex(memory["agent"]),
            type=memory["type"],
            text=text,
            content_base64=None if text is not None else b64encode(memory["content"]).decode(),
            media_type=memory["media_type"],
            importance=memory["importance"],
            tags=list(memory["tags"]),
            timestamp=memory["timestamp"],
            citation=Citation.of(memory),
        )


class MemoryList(Answer):
    """Live memories, newest first."""

    agent: str
    items: list[MemoryView]
    as_of: AsOf


class RootView(Answer):
    """An agent's commitment. ``count``: live memories; ``checksum``: BLAKE3 of the lattice state; ``block``: newest applied."""

    agent: str
    count: int
    checksum: str
    merkle_root: str
    block: Block | None


class ProofView(Answer):
    """That a memory is (``present``) or is not in the tree under ``root``.

    ``proof``: the self-contained document. ``opening``: the key under which the value in it commits to the memory, so that
    who holds the memory can check that it is this one; null for an absence. That the path of an absence belongs to
    ``memory_id`` is the gateway's word, since paths hang on the agent's secret.
    """

    agent: str
    memory_id: str
    present: bool
    root: RootView
    opening: str | None
    proof: dict[str, Any]


class LogEntry(Answer):
    """Entry ``index`` of a partition's log: ``checksum`` of the lattice state when ``block`` became final."""

    partition: int
    index: int
    block: Block
    checksum: str


class LogView(Answer):
    """A partition's log of final lattice states."""

    partition: int
    size: int
    root: str
    newest: LogEntry


class LogList(Answer):
    """The logs of all partitions that have entries."""

    items: list[LogView]


class EntryProofView(Answer):
    """That ``entry`` lies in the log of ``size`` entries and ``root``; ``proof``: the self-contained document."""

    entry: LogEntry
    size: int
    root: str
    proof: dict[str, Any]


class ConsistencyView(Answer):
    """That the log of ``first`` entries and ``first_root`` is the beginning of the one of ``size`` and ``root``."""

    partition: int
    first: int
    first_root: str
    size: int
    root: str
    proof: dict[str, Any]


class EmbeddingRequest(Wire):
    """A text."""

    text: str = Field(min_length=1, max_length=QUERY_LIMIT)


class EmbeddingView(Answer):
    """A vector, L2-normalised, and what made it."""

    model: str
    model_hash: str
    backend: str
    dimension: int
    vector: list[float]


class Guess(Answer):
    """One possible intent."""

    intent: str
    confidence: float


class FeaturesView(Answer):
    """Classes of a transaction, and what weighs it: see ``streams/decoding/features.py`` for the formulas."""

    value_class: str
    gas_class: str
    complexity: str
    token_transfer: bool
    gas_heavy: bool
    first_transaction: bool
    priority: float
    importance: float


class IntentView(Answer):
    """What a transaction asks for. ``method``: signature, if the call data was decoded; ``slots``: its arguments as text;
    ``tags``: labels that its memory would get.
    """

    intent: str
    confidence: float
    method: str | None
    slots: dict[str, str]
    text: str
    alternatives: list[Guess]
    tags: list[str]
    features: FeaturesView


class ReorgView(Answer):
    """One reorganisation. ``severity``: by depth alone; the producer, which sees both branches, also counts conflicts."""

    sequence: int
    depth: int
    severity: str
    tip: Block
    ancestor: Block


class ChainState(Answer):
    """The chain as the log tells it. ``reorgs``: the latest, newest first."""

    sequence: int | None
    head: Block | None
    final: Block | None
    reorg_count: int
    reorgs: list[ReorgView]


class Component(Answer):
    """One probe. ``milliseconds``: how long it took."""

    status: Literal["healthy", "degraded", "failed"]
    message: str = ""
    milliseconds: float


class Health(Answer):
    """All probes. ``score``: healthy share of the components, 0 to 1."""

    status: Literal["healthy", "degraded", "failed"]
    score: float
    components: dict[str, Component]
    uptime_seconds: float
    version: str


class Ready(Answer):
    """Whether to send requests here."""

    ready: bool


def text_of(memory: Memory) -> str | None:
    """The content as text, or None if it is not text."""
    if not memory["media_type"].startswith("text/"):
        return None
    try:
        return memory["content"].decode()
    except UnicodeDecodeError:
        return None
