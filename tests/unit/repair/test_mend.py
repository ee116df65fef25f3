"""Whose fault a difference is follows from the own log and the chain, never from what the other side said."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from schemas.codec import codec
from schemas.records import MemoryFact
from streams.agents.memory_rows import digest_of
from streams.core.block import BlockRef
from streams.core.checkpoint import Redo
from streams.core.record import Record
from streams.decoding.nl.parser import default_reader
from streams.errors import LogIntegrityError, SourceError
from streams.ports.log import TopicPartition
from streams.repair.chain_facts import ChainFacts
from streams.repair.log_facts import LogFacts, facts_in
from streams.repair.mend import Parts, mend
from streams.repair.outcome import Outcome
from streams.repair.owned import OwnedRows
from streams.serving.sync.findings import AgentDifference, Divergence, Findings, MemoryDifference, SideView, StoreFindings
from streams.serving.sync.partner import MovedError
from streams.topics import TRANSACTIONS
from tests.chainlog import VERIFIER, ChainLog, address, partition_of
from tests.fakelog import FakeBroker
from tests.serving_fakes import FakeMemoryStore

AGENTS = (0, 1, 2)
SIDE = SideView(version="1", partitions=2, head=4, settled=4)
SILENT = "silent"


async def unheard(_: Redo) -> None:
    """Nobody follows the log here."""


class FakeChain(ChainFacts):
    """The chain as the log has it, but for ``other`` digests; silent if told."""

    def __init__(self, log: ChainLog, hashes: dict[int, bytes] | None = None, *, other: int = -1, silent: bool = False) -> None:
        self._log, self._hashes, self._other, self._silent = log, hashes or {}, other, silent

    def _speak(self) -> None:
        if self._silent:
            raise SourceError("the node is away")

    async def hash_at(self, number: int) -> bytes | None:
        self._speak()
        return self._hashes.get(number)

    async def of(self, hashes: Sequence[bytes], agents: Collection[bytes]) -> dict[bytes, list[MemoryFact] | None]:
        self._speak()
        return {
            ref.hash: [] if ref.number == self._other else facts(self._log, ref.number, agents)
            for ref, _ in self._log.blocks
            if ref.hash in hashes
        }

    async def digests(self, block_hash: bytes, partitions: int) -> list[bytes] | None:
        self._speak()
        (step,) = [step for step in self._log.steps if step.markers[0].block.hash == block_hash and step.step == "NEW"]
        changed = step.markers[0].block.number == self._other
        return [b"\0" * 32 if changed else marker.digest for marker in step.markers]


def facts(log: ChainLog, number: int, agents: Collection[bytes] | None = None) -> list[MemoryFact]:
    records = [
        record
        for ref, parts in log.blocks
        if ref.number == number
        for part in parts
        for agent, _, record in part
        if agents is None or agent in agents
    ]
    return facts_in(records, default_reader())  # type: ignore[arg-type]


def digest(log: ChainLog, number: int) -> bytes:
    """What the memory agents' checkpoints add up to."""
    total = sum(digest_of(fact) for height in range(number + 1) for fact in facts(log, height))
    return (total % 2**256).to_bytes(32, "little")


@dataclass
class Case:
    log: ChainLog = field(default_factory=ChainLog)
    store: FakeMemoryStore = field(default_factory=FakeMemoryStore)
    broker: FakeBroker = field(default_factory=FakeBroker)
    digests: dict[int, bytes] = field(default_factory=dict)
    standing: bool = True
    taken: list[bytes] = field(default_factory=list)

    async def build(self) -> Case:
        """Four blocks, one of which was undone on the way and left nothing."""
        for number in range(4):
            self.log.add(AGENTS)
            if number == 1:
                self.log.undo(1)
                self.log.add(AGENTS, fork=1)
        for partition in range(2):
            self.broker.append(TopicPartition(TRANSACTIONS, partition), self.log.log(partition))
        for ref, _ in self.log.blocks:
            await self.store.apply(facts(self.log, ref.number))
            self.digests[ref.number] = digest(self.log, ref.number)
        return self

    def at(self, number: int) -> BlockRef:
        (found,) = [ref for ref, _ in self.log.blocks if ref.number == number]
        return found

    def parts(self, chain: ChainFacts | None, *, dry: bool = False) -> Parts:
        def verify(record: Record) -> None:
            VERIFIER.verify("Marker", record.value, record.raw)

        async def ids(agent: bytes) -> list[bytes]:
            return [memory_id for owner, memory_id in self.store.rows if owner == agent]

        async def digest_at(number: int) -> bytes:
            return self.digests[number]

        async def stands() -> bool:
            return self.standing

        @asynccontextmanager
        async def owned(agent: bytes) -> AsyncIterator[OwnedRows]:
            self.taken.append(agent)
            yield OwnedRows(self.store, unheard)

        return Parts(self.store, owned, ids, LogFacts(self.broker.reader(), verify, 2), chain, digest_at, stands, 2, dry)

    def findings(self, divergence: Divergence | None, *agents: AgentDifference) -> Findings:
        head = self.log.head
        return Findings(
            verdict="differs",
            here=SIDE,
            there=SIDE,
            same_rules=True,
            compared_at=head.number,
            compared_hash="0x" + head.hash.hex(),
            checkpoints=4,
            divergence=divergence,
            stores=StoreFindings(equal=not agents, agents=list(agents)),
            requests=(9, 9),
        )

    def apart(self, kind: Any = "log", at: int = 3) -> Divergence:
        here = "0x" + self.at(at).hash.hex()
        there = here if kind == "log" else "0x" + "99" * 32
        return Divergence(kind=kind, after=at - 1, at=at, here_hash=here, there_hash=there)

    def differing(self, agent: int, *numbers: int, **more: Any) -> AgentDifference:
        memories = [
            MemoryDifference(memory_id="0x" + "11" * 32, side="both", block=number, hash="0x" + self.at(number).hash.hex())
            for number in numbers
        ]
        return AgentDifference(agent="0x" + address(agent).hex(), side="both", memories=memories, **more)


@pytest.fixture
async def case() -> Case:
    return await Case().build()


async def found(case: Case, divergence: Divergence | None, chain: ChainFacts | None, *agents: AgentDifference) -> Outcome:
    return await mend(case.findings(divergence, *agents), case.parts(chain))


async def test_a_log_that_the_chain_agrees_with_is_not_at_fault(case: Case) -> None:
    outcome = await found(case, case.apart(), FakeChain(case.log))
    assert outcome.log is not None
    assert (outcome.log.fault, outcome.sound) == ("peer", True)


async def test_a_log_that_says_something_else_than_the_chain(case: Case) -> None:
    outcome = await found(case, case.apart(), FakeChain(case.log, other=3))
    assert outcome.log is not None
    assert (outcome.log.fault, outcome.log.block, outcome.sound) == ("here", 3, False)


async def test_a_state_that_is_not_what_the_log_makes(case: Case) -> None:
    case.digests[3] = b"\x01" * 32
    outcome = await found(case, case.apart(), FakeChain(case.log))
    assert outcome.log is not None
    assert outcome.log.fault == "state"
    assert outcome.left[0].split("#")[0].strip() == "monmouth rebuild --agent memory"


@pytest.mark.parametrize("chain", [None, SILENT])
async def test_without_the_chain_nobody_is_blamed(case: Case, chain: str | None) -> None:
    silent = None if chain is None else FakeChain(case.log, silent=True)
    for divergence in (case.apart(), case.apart("branch")):
        outcome = await found(case, divergence, silent)
        assert outcome.log is not None
        assert outcome.log.fault == "undecided"
        assert not outcome.sound


@pytest.mark.parametrize(("true", "fault"), [("here", "peer"), ("there", "here"), ("third", "neither"), (None, "undecided")])
async def test_the_chain_says_whose_branch_is_its_own(case: Case, true: str | None, fault: str) -> None:
    hashes = {"here": case.at(3).hash, "there": b"\x99" * 32, "third": b"\x33" * 32}
    outcome = await found(case, case.apart("branch"), FakeChain(case.log, {} if true is None else {3: hashes[true]}))
    assert outcome.log is not None
    assert outcome.log.fault == fault


async def test_a_store_is_mended_where_the_log_agrees_with_the_chain(case: Case) -> None:
    before = dict(case.store.rows)
    lost = [key for key in case.store.rows if key[0] == address(1)]
    for key in lost:
        del case.store.rows[key]
    outcome = await found(case, None, FakeChain(case.log), case.differing(1, 2))
    (agent,) = outcome.agents
    assert (agent.cause, agent.mended, agent.checked, agent.lacked) == ("store", True, True, len(lost))
    assert case.taken == [address(1)], "as the owner of its partition"
    assert {key: row.presence for key, row in case.store.rows.items()} == {key: row.presence for key, row in before.items()}


async def test_a_store_is_left_alone_where_the_chain_disagrees_with_the_log(case: Case) -> None:
    lost = next(key for key, row in case.store.rows.items() if key[0] == address(1) and row.memory["block"]["number"] == 2)  # type: ignore[index]
    del case.store.rows[lost]
    outcome = await found(case, None, FakeChain(case.log, other=2), case.differing(1, 2))
    (agent,) = outcome.agents
    assert (agent.cause, agent.mended) == ("log", False)
    assert lost not in case.store.rows
    assert case.taken == []
    assert not outcome.sound


async def test_a_store_that_is_right_is_not_touched(case: Case) -> None:
    case.store.broken = False
    for chain, cause in ((FakeChain(case.log), "peer"), (None, "undecided"), (FakeChain(case.log, silent=True), "undecided")):
        (agent,) = (await found(case, None, chain, case.differing(1, 2))).agents
        assert (agent.cause, agent.mended) == (cause, False)
    assert case.taken == [], "no owner is shut out for nothing"


async def test_what_was_erased_or_cannot_be_read_is_named(case: Case) -> None:
    erased, unreadable = case.differing(1, erased="there"), case.differing(2, unreadable="here")
    outcome = await found(case, None, FakeChain(case.log), erased, unreadable)
    assert [(one.cause, one.mended) for one in outcome.agents] == [("erased", False), ("unreadable", False)]
    assert outcome.left[0].startswith("monmouth rebuild --agent memory --stores ")


async def test_what_was_put_in_is_taken_out_when_its_block_left_the_chain(case: Case) -> None:
    for key in [key for key in case.store.rows if key[0] == address(1)]:
        del case.store.rows[key]
    before = dict(case.store.rows)
    case.standing = False
    with pytest.raises(MovedError, match="taken back"):
        await found(case, None, FakeChain(case.log), case.differing(1, 2))
    assert case.store.rows == before


async def test_a_log_that_was_altered_mends_nothing(case: Case) -> None:
    """One record of it, whose marker was signed over another one."""
    place = TopicPartition(TRANSACTIONS, partition_of(address(1), 2))
    entry = next(one for one in case.broker.read(*place) if one[0] == address(1))
    kind, record = codec().decode(entry[1])
    forged = FakeBroker()
    for partition in range(2):
        pairs = [
            (key, codec().encode(kind, {**record, "value": b"\x63"}) if (key, value) == entry else value)
            for key, value in case.log.log(partition)
        ]
        forged.append(TopicPartition(TRANSACTIONS, partition), pairs)
    case.broker = forged
    with pytest.raises(LogIntegrityError, match="not those the marker signed"):
        await found(case, None, FakeChain(case.log), case.differing(1, 2))


async def test_a_dry_run_changes_nothing(case: Case) -> None:
    for key in [key for key in case.store.rows if key[0] == address(1)]:
        del case.store.rows[key]
    before = dict(case.store.rows)
    outcome = await mend(case.findings(None, case.differing(1, 2)), case.parts(FakeChain(case.log), dry=True))
    assert (outcome.agents[0].cause, outcome.agents[0].mended) == ("store", False)
    assert case.store.rows == before
