"""The memory agent: transactions and commands to facts about memories, and the latest record of each memory.

Assumes records of chain.transactions arrive block by block and records of memory.commands outside blocks, in any order
relative to each other. Invariants:
  * the facts of a record are a pure function of it (``streams.agents.memory_facts``), so memory.log needs no state, but where
    the command is about a session: then of the commands of its agent up to it (``streams.agents.sessions``);
  * what a key of memory.state last says is the memory if it is live, and a tombstone if not;
  * ``revert`` of a block after its ``apply`` leaves local state, memory.state and the store as they were;
  * facts reach the store in the order they were decided, and are durable there before anything is committed; where old work is
    done again, none that stands leaves the store on the way;
  * of an agent that was erased nothing is kept, whatever comes of it later and however old work is done again (``erasure``).

An agent with more memories than its limit loses some (``streams.agents.quota``), by facts in memory.log, since lattice and
vectors follow facts alone. Which ones depends on state, and state on the order in which inputs came, which is another one
whenever work is done again. So what is decided is written to memory.evictions, once, and becomes a fact when it is read there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from schemas.codec import codec
from schemas.records import MemoryCommand, MemoryFact
from streams import topics
from streams.agents.access import Access, Authority
from streams.agents.base import MEMORIES, Emit, LocalState, Record, StreamAgent
from streams.agents.erasure import Erasures, erasure_of, standing_facts
from streams.agents.memory_facts import command_facts, delete_fact, evicted, eviction, transaction_facts
from streams.agents.memory_rows import MemoryRows, fact_name
from streams.agents.metrics import MEMORIES_STORED
from streams.agents.quota import LIMIT, Quota
from streams.agents.sessions import Sessions
from streams.core.block import BlockRef
from streams.core.ids import command_cause
from streams.core.presence import Fact
from streams.decoding.nl.parser import default_reader
from streams.decoding.reading import Reader
from streams.errors import PoisonError
from streams.ports.stores import MemoryStore

NO_AUTHORITY = Authority()


class MemoryAgent(StreamAgent):
    """chain.transactions and memory.commands to memory.log, memory.state and the memory store."""

    name: ClassVar[str] = "memory"
    inputs: ClassVar[tuple[str, ...]] = (topics.TRANSACTIONS, topics.COMMANDS, topics.EVICTIONS)
    logs: ClassVar[tuple[str, ...]] = (topics.MEMORY_LOG,)
    tables: ClassVar[tuple[str, ...]] = (topics.MEMORY_STATE, topics.ACCESS, topics.ERASURES, topics.SESSIONS)
    requests: ClassVar[tuple[str, ...]] = (topics.EVICTIONS,)
    stateful: ClassVar[bool] = True
    keeps_state: ClassVar[bool] = True
    stores: ClassVar[tuple[str, ...]] = (MEMORIES,)

    def __init__(
        self,
        partition: int,
        state: LocalState,
        store: MemoryStore,
        reader: Reader | None = None,
        authority: Authority = NO_AUTHORITY,
        *,
        limit: int = LIMIT,
    ) -> None:
        """``authority``: what is asked of a command; nothing, unless told. ``limit``: memories an agent may keep."""
        super().__init__(partition, state)
        self._store = store
        self._reader = reader or default_reader()
        self._quota = Quota(state, limit)
        self._rows = MemoryRows(state, self._quota)
        self._settling = False
        self._stored = 0
        self._access = Access(state, authority)
        self._erasures = Erasures(state)
        self._sessions = Sessions(state, authority.signer)
        self._pending: list[tuple[bool, MemoryFact]] = []
        self._held: dict[tuple[str, bytes, bytes, Fact], tuple[bool, MemoryFact]] = {}

    async def prepare(self, records: Sequence[Record]) -> None:
        """Has the keys of agents that are new made, all at once and off the event loop."""
        senders = {record.key for record in records if record.type == "ChainTransaction" and record.key}
        if unprepared := codec().unprepared(senders):
            await asyncio.to_thread(codec().prepare, unprepared)

    def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterable[Emit]:
        """Emits the facts of the records, then the memories they touched. Raises PoisonError for a command that is wrong."""
        for run, passed_over, erasure in self._erasures.runs(records):
            self._pass_over(passed_over, 1)
            yield from self._apply(block, run)
            if erasure is not None:
                yield from self._erase(erasure)

    def _apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterator[Emit]:
        records, access = self._access.take(records)
        facts = [fact for record in records for fact in self._facts(record)]
        for fact in facts:
            self._stored += self._rows.apply(fact)
        self._pending += ((True, fact) for fact in facts)
        yield from (Emit(topics.MEMORY_LOG, fact["owner"], "MemoryFact", {**fact}) for fact in facts)
        yield from self._touched(facts)
        yield from access
        yield from self._sessions.touched()

    def revert(self, block: BlockRef, records: Sequence[Record]) -> Iterable[Emit]:
        """Takes the facts of the records back and emits the memories as they are then."""
        records, passed_over = self._erasures.split(records)
        self._pass_over(passed_over, -1)
        facts = [fact for record in reversed(records) for fact in reversed(self._facts(record))]
        for fact in facts:
            self._rows.revert(fact)
        self._pending += ((False, fact) for fact in facts)
        self._quota.reverted(block.number)
        yield from self._touched(facts)

    def _erase(self, record: Record) -> Iterator[Emit]:
        """Takes everything of an agent out of state and store, and says so: a DELETE for each memory, for those who follow."""
        command: MemoryCommand = record.value
        agent = command["agent"]
        if record.key != agent:
            raise PoisonError("ERASE must have its agent as the record key", "Write it with the agent's 20 bytes as the key.")
        self._access.take([record])  # whether somebody who may says so
        rows = self._rows.erase(agent)
        self._sessions.erase(agent)
        self._erasures.add(agent)
        self._pending += ((False, fact) for memory_id, presence in rows for fact in standing_facts(agent, memory_id, presence))
        stored = [memory_id for memory_id, presence in rows if presence.upserts]
        facts = [delete_fact(command_cause(agent, command["id"]), agent, memory_id, None) for memory_id in stored]
        yield from (Emit(topics.MEMORY_LOG, agent, "MemoryFact", {**fact}) for fact in facts)
        yield from self._touched(facts)
        yield self._access.forget(agent)
        yield from self._sessions.touched()
        yield Emit(topics.ERASURES, agent, "Erasure", erasure_of(command, len(stored)))

    def _pass_over(self, records: Iterable[Record], sign: int) -> None:
        for record in records:
            for fact in self._facts(record):
                self._rows.pass_over(fact, sign)

    def finalize(self, block: BlockRef) -> Iterable[Emit]:
        """Notes that memories of these blocks can be evicted."""
        self._quota.finalize(block.number)
        self._settling = True
        return ()

    def emit_before_commit(self) -> Iterable[Emit]:
        """Where finality moved: evictions of agents that have too many memories; some may have been asked for before."""
        if not self._settling:
            return ()
        self._settling = False
        self._stored += self._rows.settle()
        asked = (eviction(owner, memory_id) for owner, memory_id in self._quota.excess())
        return [Emit(topics.EVICTIONS, fact["owner"], "MemoryFact", {**fact}) for fact in asked]

    async def flush(self) -> None:
        """Writes to the store, in runs of one direction."""
        self._pending[:0] = self._held.values()
        self._held = {}
        await self._write()

    async def flush_again(self) -> None:
        """Keeps what old work comes to, so that an owner who loses the partition on the way leaves nothing half done in the
        store: the next one may be past it, and would never take back what an undo has still to come for.
        """
        self._stored = 0  # it was counted when it was committed
        for forward, fact in self._pending:
            name = (fact["op"], fact["owner"], fact["memory_id"], fact_name(fact))
            if not (forward and self._held.get(name, (False, fact))[0]):  # of a command sent again the first stands
                self._held[name] = (forward, fact)
        self._pending = []

    def committed(self) -> None:
        MEMORIES_STORED.inc(self._stored)
        self._stored = 0

    @property
    def held(self) -> int:
        return len(self._held)

    async def _write(self) -> None:
        while self._pending:
            forward = self._pending[0][0]
            run = next((i for i, (kind, _) in enumerate(self._pending) if kind is not forward), len(self._pending))
            facts = [fact for _, fact in self._pending[:run]]
            await (self._store.apply(facts) if forward else self._store.revert(facts))
            del self._pending[:run]

    def state_digest(self) -> bytes:
        """Sum of the hashes of the chain's facts that stand; see MemoryRows."""
        return self._rows.digest()

    def _facts(self, record: Record) -> list[MemoryFact]:
        if record.type == "MemoryCommand":
            return self._commanded(record)
        if record.type == "MemoryFact":
            return evicted(record.key, record.value)
        if record.type == "ChainTransaction":
            return transaction_facts(record.value, self._reader.read(record.value))
        raise PoisonError(f"{record.topic} holds a {record.type}, which is no input of the memory agent")

    def _commanded(self, record: Record) -> list[MemoryFact]:
        key, command = record.key, record.value
        if not self._sessions.concern(command):
            return command_facts(key, command, record.appended)
        stored = [] if command["op"].startswith("SESSION_") else command_facts(key, command, record.appended)
        if key != command["agent"]:
            raise PoisonError(
                "a command must have its agent as the record key", "Write it with the agent's 20 bytes as the key."
            )
        return self._sessions.facts(command, stored, record.appended)

    def _touched(self, facts: Iterable[MemoryFact]) -> Iterator[Emit]:
        for owner, memory_id in dict.fromkeys((fact["owner"], fact["memory_id"]) for fact in facts):
            memory = self._rows.live(owner, memory_id)
            yield Emit(topics.MEMORY_STATE, owner + memory_id, "Memory", {**memory} if memory else None)
