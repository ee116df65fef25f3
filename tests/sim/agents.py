"""The stream agents of a run, and what they must leave behind: toys that are their own oracle, and the real ones.

``Relay`` reads what ``Tally`` writes, so that markers are forwarded twice and a rewind passes through two consumers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from blake3 import blake3

from schemas.codec import codec
from schemas.records import MemoryCommand, MemoryFact
from streams import topics
from streams.agents.base import Emit, LocalState, Record, StreamAgent
from streams.agents.lattice import LatticeAgent
from streams.agents.memory import MemoryAgent
from streams.agents.memory_facts import command_facts, transaction_facts
from streams.core.block import BlockRef
from streams.core.log_entry import entry_hash
from streams.core.merkle.log import Frontier
from streams.decoding.nl.parser import default_reader
from streams.oracle import Oracle, World, differences
from streams.ports.chain import Block
from streams.ports.stores import MemoryStore
from streams.producer.records import transaction_records
from streams.runtime.job import AgentFactory
from tests.chainlog import CHAIN_ID, partition_of
from tests.facts import secret_of
from tests.fakes import DictMemoryStore
from tests.sim.broker import Broker
from tests.sim.store import SimMemoryStore
from tests.toys import Copy, Tally, expected_counts, expected_output, factory, live_output, table


class Relay(StreamAgent):
    """Intents by agent, counted: the table says how many stand, and what the last one said."""

    name: ClassVar[str] = "relay"
    inputs: ClassVar[tuple[str, ...]] = (topics.INTENTS,)
    tables: ClassVar[tuple[str, ...]] = (topics.MEMORY_STATE,)
    stateful: ClassVar[bool] = True
    keeps_state: ClassVar[bool] = True

    def __init__(self, partition: int, state: LocalState) -> None:
        super().__init__(partition, state)
        self._touched: dict[bytes, None] = {}

    def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterable[Emit]:
        return self._fold(records, 1)

    def revert(self, block: BlockRef, records: Sequence[Record]) -> Iterable[Emit]:
        return self._fold(records, -1)

    def _fold(self, records: Sequence[Record], step: int) -> Iterable[Emit]:
        for record in records:
            agent = record.value["agent"]
            count = int(self.state.get(agent) or 0) + step
            assert count >= 0, "more intents were taken back than came"
            if count:
                self.state.put(agent, b"%d" % count)
            else:
                self.state.delete(agent)
            self._touched[agent] = None
        return ()

    def emit_before_commit(self) -> list[Emit]:
        emits = [Emit(topics.MEMORY_STATE, agent, "LatticeRoot", self._row(agent)) for agent in self._touched]
        self._touched.clear()
        return emits

    def _row(self, agent: bytes) -> dict[str, object] | None:
        count, zero = int(self.state.get(agent) or 0), bytes(32)
        row = {"agent": agent, "count": count, "lattice": b"", "checksum": zero, "merkle_root": zero, "block": None}
        return row if count else None

    def state_digest(self) -> bytes:
        return blake3(b"".join(key + value for key, value in self.state.scan(b""))).digest()


@dataclass(frozen=True)
class Canonical:
    """The canonical chain as records by partition, in the form that the toys' oracles fold.

    ``commands``: all that can be carried out, as often as they were written.
    """

    blocks: list[tuple[BlockRef, list[list[tuple[bytes, str, dict]]]]]
    partitions: int
    commands: Sequence[MemoryCommand]

    @classmethod
    def of(cls, branch: Sequence[Block], partitions: int, registered: frozenset[bytes], commands: Sequence[MemoryCommand]):
        blocks = []
        for block in branch:
            placed: list[list[tuple[bytes, str, dict]]] = [[] for _ in range(partitions)]
            for record in transaction_records(block, CHAIN_ID, registered):
                placed[partition_of(record["agent"], partitions)].append((record["agent"], "ChainTransaction", {**record}))
            blocks.append((block.ref, placed))
        return cls(blocks, partitions, commands)

    @property
    def records(self) -> Iterator[dict]:
        for _, placed in self.blocks:
            for part in placed:
                for _, _, record in part:
                    yield record

    def counts(self, partition: int) -> Counter[bytes]:
        """What stands of each agent, poison left out."""
        return Counter(value["agent"] for _, records in expected_output(self, partition, counted=True) for value in records)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Cast:
    """``logs``: marked output topics. ``check``: what is wrong in the end."""

    factories: Callable[[], list[AgentFactory]]
    check: Callable[[Broker, Canonical], Iterator[str]]
    groups: tuple[type[StreamAgent], ...]
    warm: Callable[[], object] = lambda: None

    @property
    def logs(self) -> tuple[str, ...]:
        return tuple(topic for spec in self.groups for topic in spec.logs)


def _intents(broker: Broker, canonical: Canonical, *, counted: bool) -> Iterator[str]:
    for partition in range(canonical.partitions):
        found = live_output(broker.read(topics.INTENTS, partition), topics.INTENTS, partition, broker.verifier)
        wanted = expected_output(canonical, partition, counted=counted)  # type: ignore[arg-type]
        if found != wanted:
            at = next((i for i, pair in enumerate(zip(found, wanted, strict=False)) if pair[0] != pair[1]), "the end")
            yield f"{topics.INTENTS}/{partition}: {len(found)} blocks, {len(wanted)} wanted, first difference at {at}"


def _check_copy(broker: Broker, canonical: Canonical) -> Iterator[str]:
    yield from _intents(broker, canonical, counted=False)


def _check_tally(broker: Broker, canonical: Canonical) -> Iterator[str]:
    yield from _intents(broker, canonical, counted=True)
    for partition in range(canonical.partitions):
        rows = table(broker.read(topics.ROOTS, partition))
        found = {key: row["count"] for key, row in rows.items() if row["count"]}
        wanted = canonical.counts(partition)
        if found != wanted:
            yield f"{topics.ROOTS}/{partition}: {_named(found)}, must be {_named(wanted)}"


def _check_relay(broker: Broker, canonical: Canonical) -> Iterator[str]:
    yield from _check_tally(broker, canonical)
    for partition in range(canonical.partitions):
        found = {key: row["count"] for key, row in table(broker.read(topics.MEMORY_STATE, partition)).items()}
        wanted = canonical.counts(partition)
        if found != wanted:
            yield f"{topics.MEMORY_STATE}/{partition}: {_named(found)}, must be {_named(wanted)}"


def _named(counts: dict[bytes, int]) -> str:
    return str({key.hex()[:6]: count for key, count in sorted(counts.items())})


def _toy(check: Callable[[Broker, Canonical], Iterator[str]], *specs: type[StreamAgent]) -> Cast:
    return Cast(lambda: [factory(spec) for spec in specs], check, specs)


def cast_of(name: str, store: SimMemoryStore) -> Cast:
    """The stream agents that parameter ``agents`` names."""
    if name == "copy":
        return _toy(_check_copy, Copy)
    if name == "tally":
        return _toy(_check_tally, Tally)
    if name == "relay":
        return _toy(_check_relay, Tally, Relay)
    lattice = AgentFactory(LatticeAgent, lambda partition, state: LatticeAgent(partition, state, secret_of))
    return Cast(
        lambda: [_memory(store), lattice],
        lambda broker, canonical: _check_memory(broker, canonical, store),
        (MemoryAgent, LatticeAgent),
    )


def _memory(store: SimMemoryStore) -> AgentFactory:
    """As it is wired in a worker: each partition's lane of the store is claimed before it is used."""
    owned: dict[int, MemoryStore] = {}

    async def claim(partition: int) -> bytes:
        owned[partition] = await store.claim(b"memory/%d" % partition)
        return store.identity

    def make(partition: int, state: LocalState) -> MemoryAgent:
        return MemoryAgent(partition, state, owned[partition], default_reader())

    def follow(partition: int, state: LocalState) -> MemoryAgent:
        return MemoryAgent(partition, state, DictMemoryStore(), default_reader())

    return AgentFactory(MemoryAgent, make, claim=claim, follow=follow)


def _facts(canonical: Canonical) -> list[MemoryFact]:
    reader = default_reader()
    chain = [fact for record in canonical.records for fact in transaction_facts(record, reader.read(record))]  # type: ignore[arg-type]
    return chain + [fact for command in canonical.commands for fact in command_facts(command["agent"], command)]


def _name(fact: MemoryFact) -> tuple[object, ...]:
    block = fact["block"]
    return fact["op"], fact["owner"], fact["memory_id"], fact["cause"], block["hash"] if block else b""


def _check_memory(broker: Broker, canonical: Canonical, store: SimMemoryStore) -> Iterator[str]:
    facts = _facts(canonical)
    world: World = Oracle(lambda fact: [fact], secret_of).fold(facts).world()
    stand: Counter[tuple[object, ...]] = Counter()
    roots = {}
    state: dict[bytes, object] = {}
    for partition in range(canonical.partitions):
        pairs = broker.read(topics.MEMORY_LOG, partition)
        for ref, values in live_output(pairs, topics.MEMORY_LOG, partition, broker.verifier):
            stand.update(_name(value) for value in values if value["block"]["hash"] == ref.hash)
        decoded = (codec().decode(value) for _, value in pairs)
        stand.update(_name(value) for kind, value in decoded if kind == "MemoryFact" and value["block"] is None)
        roots |= {key: row for key, row in table(broker.read(topics.ROOTS, partition)).items() if len(key) == 20}
        state |= table(broker.read(topics.MEMORY_STATE, partition))
    wanted = Counter(map(_name, facts))
    if stand != wanted:
        yield f"{topics.MEMORY_LOG}: {(wanted - stand).total()} facts lost, {(stand - wanted).total()} too many or doubled"
    live = {agent + id_ for agent, held in world.agents.items() for id_ in held.ids}
    if state.keys() != live:
        yield f"{topics.MEMORY_STATE}: {len(live - state.keys())} lost, {len(state.keys() - live)} too many"
    yield from (str(found) for found in differences(world, roots, _stored(store)))
    yield from _check_final_logs(broker, canonical)


def _check_final_logs(broker: Broker, canonical: Canonical) -> Iterator[str]:
    """Entries of each partition's log of final states, as published: none missing, none overwritten by another, none twice."""
    for partition in range(canonical.partitions):
        rows = table(broker.read(topics.ROOTS, partition))
        entries = [row for key, row in sorted(rows.items()) if len(key) == 12]
        log, hashes = Frontier(), []
        for index, row in enumerate(entries):
            hashes.append(entry_hash(partition, BlockRef.of(row["block"]), row["checksum"]))
            log, _ = log.append(hashes[-1])
            if (row["index"], row["root"]) != (index, log.root()):
                yield f"{topics.ROOTS}/{partition}: entry {index} of the final log does not follow from those before"
        if len(set(hashes)) != len(hashes):
            yield f"{topics.ROOTS}/{partition}: the final log says the same twice"


def _stored(store: SimMemoryStore) -> dict[bytes, list[bytes]]:
    live = {agent: [key for key, row in held.items() if row.presence.live()] for agent, held in store.rows.items()}
    return {agent: keys for agent, keys in live.items() if keys}


__all__ = ["Canonical", "Cast", "cast_of", "expected_counts"]
