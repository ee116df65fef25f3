"""What a stream agent is: a fold over one partition of its input topics, with an inverse.

The runtime owns reading, verifying, transactions, checkpoints and rewinding; a stream agent owns ``apply`` and ``revert``.
One instance serves one partition. Topics are logical names; outputs go to the partition the input came from.
Invariants the runtime relies on:
  * ``apply`` and ``revert`` are synchronous and deterministic, read nothing but their arguments and ``state``, and for every
    block ``revert`` after ``apply`` leaves state and compacted outputs as they were.
  * Emissions to ``logs`` depend on the input records alone (stateless), or on ``state``, which commits with them.
  * Writes to outside stores are idempotent, wait in the agent until ``flush``, and are durable when ``flush`` returns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

from streams.core.block import BlockRef
from streams.core.record import Record
from streams.topics import RETRIES

__all__ = ["MEMORIES", "VECTORS", "Emit", "LocalState", "Record", "StreamAgent"]

MEMORIES, VECTORS = "memories", "vectors"
"""The outside stores there are."""


class Emit(NamedTuple):
    """One output record; ``value`` None is a tombstone (compacted topics only)."""

    topic: str
    key: bytes
    type: str
    value: Mapping[str, Any] | None


class LocalState(Protocol):
    """Key-value state of one stream agent and partition. Reads see writes at once; the runtime makes them durable with the
    input position they belong to, after the Kafka transaction, and drops them if that fails.
    """

    def get(self, key: bytes) -> bytes | None:
        """The value, or None."""

    def put(self, key: bytes, value: bytes) -> None:
        """Sets it."""

    def delete(self, key: bytes) -> None:
        """Removes it, if there."""

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Pairs whose key starts with ``prefix``, in key order."""


class StreamAgent(ABC):
    """Base class. ``inputs[0]`` carries the markers; further inputs hold records outside blocks.

    ``logs``: output topics that get markers forwarded. ``tables``: compacted output topics. ``requests``: output topics without
    markers, for decisions that depend on ``state``: a stream agent that takes them up, perhaps this one, reads them as records
    outside blocks. So the decision, once made, is in the log, and what follows from it is a function of the log, whatever order
    inputs are read in when work is done again. A decision may be written more than once, before it is read.
    ``stateful``: whether ``revert`` must be called on a rewind; if not, the marker is forwarded and that is all.
    ``keeps_state``: whether it uses ``state``, so that the runtime must bring that up to the committed position first.
    ``stores``: outside stores it writes to.
    ``defers``: whether records outside blocks go to ``deliver``, one by one, and one whose delivery fails for something that
    may pass is tried again later (see ``Delivery``).
    """

    name: ClassVar[str]
    inputs: ClassVar[tuple[str, ...]]
    logs: ClassVar[tuple[str, ...]] = ()
    tables: ClassVar[tuple[str, ...]] = ()
    requests: ClassVar[tuple[str, ...]] = ()
    stateful: ClassVar[bool] = False
    keeps_state: ClassVar[bool] = False
    stores: ClassVar[tuple[str, ...]] = ()
    defers: ClassVar[bool] = False

    def __init__(self, partition: int, state: LocalState) -> None:
        self.partition = partition
        self.state = state

    @classmethod
    def timely(cls) -> tuple[str, ...]:
        """Inputs whose records are late if they wait; in the others they wait on purpose."""
        return tuple(topic for topic in cls.inputs if topic not in RETRIES)

    async def prepare(self, records: Sequence[Record]) -> None:
        """Called once per poll with all records about to be applied, before any ``apply``: the place for slow batch work."""

    @abstractmethod
    def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterable[Emit]:
        """Folds in the records of one block in log order, or (``block`` None) records outside blocks.

        Raises PoisonError, naming the cause, if a record can never be processed; the runtime then drops this instance, makes
        another from durable state and sends each record alone, a refused one to the dead letters. A call with one record that
        raises PoisonError must leave nothing of it in the instance; ``state`` is restored by the runtime.
        """

    def revert(self, block: BlockRef, records: Sequence[Record]) -> Iterable[Emit]:
        """Takes back what ``apply`` did with the same block and records; may emit to ``tables`` only.

        Raises PoisonError for exactly the records for which ``apply`` does.
        """
        return ()

    def finalize(self, block: BlockRef) -> Iterable[Emit]:
        """Called when ``block`` and all before it became final; may emit to ``tables`` and ``requests`` only."""
        return ()

    def emit_before_commit(self) -> Iterable[Emit]:
        """Last outputs of a transaction, such as one coalesced row per key touched; ``tables`` and ``requests`` only."""
        return ()

    async def flush(self) -> None:
        """Makes writes to outside stores durable; called before each commit, in the order they were decided."""

    async def flush_again(self) -> None:
        """As ``flush``, while work is done again that was committed before, up to where others may have read on.

        What that work puts in may be taken out later in it, and the other way round, so writes should be held back until
        ``flush``, for an outside store to lose nothing that stands, and to get nothing that a successor, who may be past this
        work, would never take out; ``held`` then says so, and no local state is written meanwhile.
        """
        await self.flush()

    def committed(self) -> None:
        """Called after each commit; what ``flush_again`` ended had been committed before. Never raises."""

    @property
    def held(self) -> int:
        """How many writes ``flush_again`` left to ``flush``."""
        return 0

    async def deliver(self, record: Record) -> None:
        """Hands a record outside blocks to a place outside, where the same record may come more than once: its topic, partition
        and offset say which it is. Called only where ``defers``.

        Raises PoisonError if it can never be done, and whatever says by its type that it may pass.
        """
        raise NotImplementedError(f"{self.name} delivers nothing")

    def state_digest(self) -> bytes | None:
        """Digest (32 bytes) of what the chain's records made of the state, equal whenever the same blocks stand; or None."""
        return None


class Delivery(StreamAgent):
    """Base class of stream agents that hand records outside blocks on to a place outside, each as soon as it goes.

    ``inputs``: a topic with markers, the topics whose records are delivered, and RETRIES last. Of each topic and key, records
    are settled in the order they came; others do not wait. It has no state and no output of its own that could be overtaken.
    """

    defers: ClassVar[bool] = True

    def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterable[Emit]:
        """What the blocks hold is not delivered: they may be undone."""
        return ()
