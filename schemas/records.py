"""Typed views of the Avro records, as the codec returns and takes them.

Assumes nothing; each class mirrors the .avsc file of the same name (a test compares field names and optionality).
Hashes and addresses are ``bytes``; unsigned 256-bit integers are big-endian ``bytes`` without leading zeros.
"""

from __future__ import annotations

from typing import Literal, TypedDict

Step = Literal["NEW", "UNDO", "FINAL"]
MemoryType = Literal["SHORT_TERM", "LONG_TERM", "WORKING", "EPISODIC", "SEMANTIC", "PROCEDURAL"]
MEMORY_TYPES: tuple[MemoryType, ...] = ("SHORT_TERM", "LONG_TERM", "WORKING", "EPISODIC", "SEMANTIC", "PROCEDURAL")
MemorySource = Literal["CHAIN", "COMMAND", "SESSION", "IMPORT"]
RelationKind = Literal[
    "TRANSFER", "SWAP", "LIQUIDITY_PROVISION", "DELEGATION", "INTERACTION", "IDENTITY", "FEEDBACK", "VALIDATION"
]
MessageType = Literal[
    "NODE_ANNOUNCEMENT",
    "HEARTBEAT",
    "TRANSACTION_PROPOSAL",
    "STATE_SYNC",
    "LOAD_INFO",
    "CONSENSUS_VOTE",
    "ALH_UPDATE",
    "CONFIG_SYNC",
    "SHUTDOWN",
    "DATA",
    "CONTEXT_REQUEST",
    "CONTEXT_RESPONSE",
    "PATTERN_NOTIFICATION",
    "AGENT_COORDINATION",
]
NodeKind = Literal["ACCOUNT", "AGENT", "CONTRACT", "TOKEN", "POOL", "IDENTITY", "OTHERS"]
MemoryForm = Literal["MEMORY", "AMENDMENT"]
EdgeKind = Literal["LINK", "SUPERSEDES", "MERGES", "INVALIDATES"]
CommandOp = Literal[
    "STORE",
    "FORGET",
    "LINK",
    "INVALIDATE",
    "SUPERSEDE",
    "MERGE",
    "IMPORT",
    "SESSION_OPEN",
    "SESSION_CHANGE",
    "SESSION_MERGE",
    "SESSION_CLOSE",
    "GRANT",
    "REVOKE",
    "REGISTER_KEY",
    "ERASE",
]


class BlockRefRecord(TypedDict):
    number: int
    hash: bytes
    parent: bytes


class HeaderRecord(TypedDict):
    parent_hash: bytes
    ommers_hash: bytes
    beneficiary: bytes
    state_root: bytes
    transactions_root: bytes
    receipts_root: bytes
    logs_bloom: bytes
    difficulty: bytes
    number: int
    gas_limit: int
    gas_used: int
    timestamp: int
    extra_data: bytes
    mix_hash: bytes
    nonce: bytes
    base_fee_per_gas: bytes | None
    withdrawals_root: bytes | None
    blob_gas_used: int | None
    excess_blob_gas: int | None
    parent_beacon_block_root: bytes | None
    requests_hash: bytes | None


class BlockNotification(TypedDict):
    step: Step
    chain_id: int
    sequence: int
    block: BlockRefRecord
    head: BlockRefRecord
    final: BlockRefRecord | None
    header: HeaderRecord | None
    removed: list[BlockRefRecord]
    ancestor: BlockRefRecord | None
    transactions: int
    records: int
    key_id: bytes
    signature: bytes


class MarkerRecord(TypedDict):
    step: Step
    chain_id: int
    sequence: int
    topic: str
    partition: int
    block: BlockRefRecord
    head: BlockRefRecord
    final: BlockRefRecord | None
    timestamp: int
    count: int
    digest: bytes
    removed: list[BlockRefRecord]
    ancestor: BlockRefRecord | None
    key_id: bytes
    signature: bytes


class Access(TypedDict):
    address: bytes
    storage_keys: list[bytes]


class Authorization(TypedDict):
    chain_id: bytes
    address: bytes
    nonce: bytes
    y_parity: int
    r: bytes
    s: bytes


class Log(TypedDict):
    index: int
    address: bytes
    topics: list[bytes]
    data: bytes


class ChainTransaction(TypedDict):
    chain_id: int
    block: BlockRefRecord
    timestamp: int
    agent: bytes
    role: Literal["SENDER", "COUNTERPARTY"]
    index: int
    hash: bytes
    type: int
    sender: bytes
    to: bytes | None
    nonce: bytes
    value: bytes
    gas: int
    gas_price: bytes
    max_fee_per_gas: bytes | None
    max_priority_fee_per_gas: bytes | None
    max_fee_per_blob_gas: bytes | None
    input: bytes
    tx_chain_id: int | None
    access_list: list[Access]
    blob_versioned_hashes: list[bytes]
    authorization_list: list[Authorization]
    v: bytes
    r: bytes
    s: bytes
    status: int | None
    post_state_root: bytes | None
    gas_used: int
    cumulative_gas_used: int
    logs_bloom: bytes
    contract_address: bytes | None
    logs: list[Log]


class MemoryEdge(TypedDict):
    kind: EdgeKind
    source: bytes | None
    target: bytes
    relation: str
    strength: float
    until: int | None


class Memory(TypedDict):
    id: bytes
    agent: bytes
    type: MemoryType
    source: MemorySource
    block: BlockRefRecord | None
    transaction: bytes | None
    transaction_index: int
    content: bytes
    media_type: str
    importance: float
    tags: list[str]
    timestamp: int
    form: MemoryForm
    subject: str | None
    predicate: str | None
    valid_from: int | None
    valid_to: int | None
    edges: list[MemoryEdge]
    session: bytes | None
    imported_from: bytes | None
    sealed: bytes | None
    known_at: int | None


class MemoryFact(TypedDict):
    op: Literal["UPSERT", "DELETE"]
    cause: bytes
    memory_id: bytes
    owner: bytes
    memory: Memory | None
    block: BlockRefRecord | None


class SessionTerms(TypedDict):
    seconds: int | None
    max_memories: int | None
    collaborators: list[bytes] | None
    context: str | None
    goal: str | None
    promote: bool | None
    merge_from: bytes | None


class Session(TypedDict):
    id: bytes
    agent: bytes
    state: Literal["OPEN", "CLOSED", "MERGED"]
    opened: int
    expires: int
    ended: int | None
    max_memories: int
    collaborators: list[bytes]
    context: str
    goal: str
    promote: bool
    merged_into: bytes | None
    count: int
    taken: int
    signature: bytes | None
    sealed: bytes | None


class Grant(TypedDict):
    grantee: bytes
    rights: list[str]
    namespace: str
    until: int | None


class MemoryCommand(TypedDict):
    id: bytes
    agent: bytes
    op: CommandOp
    memory_id: bytes | None
    type: MemoryType | None
    content: bytes
    media_type: str
    importance: float
    tags: list[str]
    timestamp: int
    signature: bytes | None
    subject: str | None
    predicate: str | None
    valid_from: int | None
    valid_to: int | None
    edges: list[MemoryEdge]
    session: bytes | None
    session_terms: SessionTerms | None
    grant: Grant | None
    author: bytes | None
    public_key: bytes | None
    proof: bytes | None
    memory: Memory | None
    sealed: bytes | None


class StandingGrant(TypedDict):
    grantee: bytes
    rights: list[str]
    namespace: str
    until: int | None
    since: int


class AgentAccess(TypedDict):
    agent: bytes
    public_key: bytes | None
    since: int | None
    grants: list[StandingGrant]
    signature: bytes | None


class Alternative(TypedDict):
    intent: str
    confidence: float


class Intent(TypedDict):
    chain_id: int
    block: BlockRefRecord
    timestamp: int
    agent: bytes
    transaction: bytes
    transaction_index: int
    intent: str
    confidence: float
    method: str | None
    slots: dict[str, str]
    text: str
    alternatives: list[Alternative]


class Embedding(TypedDict):
    memory_id: bytes
    agent: bytes
    block: BlockRefRecord | None
    vector: bytes
    model: str
    model_hash: bytes
    backend: str
    text_digest: bytes
    sealed: bytes | None


class LatticeRoot(TypedDict):
    agent: bytes
    count: int
    lattice: bytes
    checksum: bytes
    merkle_root: bytes
    block: BlockRefRecord | None


class LatticeLog(TypedDict):
    partition: int
    index: int
    block: BlockRefRecord
    checksum: bytes
    root: bytes


class CheckpointRecord(TypedDict):
    stream_agent: str
    partition: int
    slot: str
    sequence: int
    block: BlockRefRecord
    topic: str
    start_offset: int
    marker_offset: int
    offsets: dict[str, int]
    count: int
    digest: bytes
    state_digest: bytes | None
    live: bool
    timestamp: int | None
    parent_timestamp: int | None


class DeadLetter(TypedDict):
    topic: str
    partition: int
    offset: int
    stream_agent: str
    error: str
    reason: str
    attempts: int
    key: bytes | None
    value: bytes | None
    truncated: bool
    size: int


class StandingRecord(TypedDict):
    transactions: int
    failures: int
    whale: int
    complex_ops: int
    gas: int
    volume: bytes
    reputation: int
    first: int
    last: int


class Erasure(TypedDict):
    agent: bytes
    command: bytes
    timestamp: int
    memories: int


class GraphEdge(TypedDict):
    id: bytes
    source: bytes
    target: bytes
    kind: RelationKind
    target_kind: NodeKind
    block: BlockRefRecord
    timestamp: int
    transaction: bytes
    transaction_index: int
    ordinal: int
    succeeded: bool
    gas_used: int
    token: bytes | None
    amount: bytes | None
    event: str
    arguments: dict[str, str]
    events: int
    volume: bytes
    weight: int
    strength: int
    first: int
    standing: StandingRecord | None


class AgentIdentity(TypedDict):
    registry: bytes
    agent_id: bytes
    owner: bytes | None
    uri: str
    wallet: bytes | None


class AgentProfile(TypedDict):
    agent: bytes
    block: BlockRefRecord
    standing: StandingRecord
    specialisation: Literal["standard", "complex_ops", "whale"]
    edges: int
    identities: list[AgentIdentity]
    capabilities: list[str]
    feedback_given: int
    anps: float | None


class SchemaEntry(TypedDict):
    kind: Literal["VERSION", "CONFIG", "MODE", "IDS"]
    subject: str
    version: int
    id: int
    schema: str
    deleted: bool
    setting: str


class Replay(TypedDict):
    stream_agent: str
    partition: int
    id: str
    phase: Literal["REQUESTED", "UNDOING", "REDOING", "DONE", "REFUSED"]
    block: int
    until: int | None
    start_offset: int | None
    goal_offset: int | None
    undone: int
    total: int | None
    reason: str


class Message(TypedDict):
    id: bytes
    type: MessageType
    source: str
    target: str | None
    timestamp: int
    version: int
    answers: bytes | None
    deadline: int | None
    agent: bytes | None
    reply_key: bytes | None
    payload: bytes
    signature: bytes | None


class BridgedMemory(TypedDict):
    agent: bytes
    memory_id: bytes
    payload: bytes
