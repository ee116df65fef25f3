"""The oracle: what every agent must remember, by a plain fold of the canonical chain and the commands.

It shares the definitions with the pipeline (what facts a transaction leaves, what a leaf is) but none of its machinery: no log,
markers, rewind, local state or incremental hash. It sees each canonical block once, in order, and nothing of other forks.
Invariant: ``differences`` is empty only if every agent of either side has equal ids, count, lattice and Merkle root, and the
totals are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from blake3 import blake3

from schemas.records import LatticeRoot, Memory, MemoryFact
from streams.core.leaf import leaf_of
from streams.core.lthash import STATE_BYTES, LtHash, merge, sum_elements
from streams.core.merkle.sparse import root_of

Input = TypeVar("Input")


@dataclass(frozen=True, slots=True)
class AgentState:
    """What one agent must remember. ``ids``: of live memories, sorted."""

    ids: tuple[bytes, ...]
    lattice: LtHash
    merkle_root: bytes

    @property
    def count(self) -> int:
        """Live memories."""
        return len(self.ids)

    @property
    def checksum(self) -> bytes:
        """BLAKE3 of the lattice state."""
        return self.lattice.checksum()


@dataclass(frozen=True, slots=True)
class World:
    """All agents with at least one live memory."""

    agents: Mapping[bytes, AgentState]

    @property
    def checksum(self) -> bytes:
        """Checksum over the memories of all agents."""
        return merge(state.lattice for state in self.agents.values()).checksum()

    @property
    def count(self) -> int:
        """Live memories of all agents."""
        return sum(state.count for state in self.agents.values())

    def part(self, mine: Callable[[bytes], bool]) -> World:
        """The agents for whom ``mine(address)`` says yes, such as those of one partition."""
        return World({agent: state for agent, state in self.agents.items() if mine(agent)})


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as the oracle says. ``agent`` None: of the whole."""

    agent: bytes | None
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        whose = "all agents" if self.agent is None else f"agent 0x{self.agent.hex()}"
        return f"{whose}: {self.what} is {self.found}, must be {self.expected}"


@dataclass(slots=True)
class _Standing:
    memory: Memory | None = None
    upserts: int = 0
    deletes: int = 0


@dataclass
class Oracle(Generic[Input]):
    """Folds inputs (transactions of canonical blocks in order, commands, or facts themselves) one after another.

    ``facts_of``: the facts an input leads to. ``leaf_secret``: 32 bytes for an agent of 20 bytes.
    """

    facts_of: Callable[[Input], Iterable[MemoryFact]]
    leaf_secret: Callable[[bytes], bytes] = field(repr=False)
    _agents: dict[bytes, dict[bytes, _Standing]] = field(default_factory=dict, init=False, repr=False)
    _seen: set[tuple[bytes, bytes, bytes, str]] = field(default_factory=set, init=False, repr=False)

    def fold(self, inputs: Iterable[Input]) -> Oracle[Input]:
        """Takes in more inputs; one that was there already changes nothing."""
        for item in inputs:
            for fact in self.facts_of(item):
                self._fold_fact(fact)
        return self

    def _fold_fact(self, fact: MemoryFact) -> None:
        name = (fact["owner"], fact["memory_id"], fact["cause"], fact["op"])
        if name in self._seen:
            return
        self._seen.add(name)
        standing = self._agents.setdefault(fact["owner"], {}).setdefault(fact["memory_id"], _Standing())
        if fact["op"] == "DELETE":
            standing.deletes += 1
            return
        standing.upserts += 1
        standing.memory = standing.memory or fact["memory"]

    def world(self) -> World:
        """What must be there now, computed from nothing."""
        return World({agent: state for agent in self._agents if (state := self._state(agent)).count})

    def _state(self, agent: bytes) -> AgentState:
        live = sorted((id_, s) for id_, s in self._agents[agent].items() if s.upserts and not s.deletes)
        secret = self.leaf_secret(agent)
        leaves = sorted(leaf_of(secret, standing.memory) for _, standing in live if standing.memory)
        return AgentState(tuple(id_ for id_, _ in live), sum_elements([leaf.value for leaf in leaves]), root_of(leaves))


def differences(
    world: World, roots: Mapping[bytes, LatticeRoot], stored_ids: Mapping[bytes, Collection[bytes]] | None = None
) -> list[Difference]:
    """How the latest record of memory.roots by agent and, if given, the live ids in a memory store differ from ``world``."""
    found: list[Difference] = []
    for agent in sorted({*world.agents, *roots}):
        found += _of_root(agent, world.agents.get(agent), roots.get(agent))
    states = [root["lattice"] for root in roots.values()]
    total = merge(LtHash.of(state) for state in states if len(state) == STATE_BYTES).checksum()
    if total != world.checksum:
        found.append(Difference(None, "lattice checksum", world.checksum.hex(), total.hex()))
    if stored_ids is not None:
        for agent in sorted({*world.agents, *stored_ids}):
            found += _of_store(agent, world.agents.get(agent), stored_ids.get(agent, ()))
    return found


NOBODY = AgentState((), merge(()), root_of(()))


def _of_root(agent: bytes, state: AgentState | None, root: LatticeRoot | None) -> list[Difference]:
    state = state or NOBODY
    if root is None:
        return [Difference(agent, "lattice root", f"a record of {state.count} memories", "missing")]
    pairs: list[tuple[str, object, object]] = [
        ("owner in the record", agent.hex(), root["agent"].hex()),
        ("count", state.count, root["count"]),
        ("hash of the lattice state", state.checksum.hex(), blake3(root["lattice"]).hexdigest()),
        ("lattice checksum", state.checksum.hex(), root["checksum"].hex()),
        ("Merkle root", state.merkle_root.hex(), root["merkle_root"].hex()),
    ]
    return [Difference(agent, what, str(wanted), str(got)) for what, wanted, got in pairs if wanted != got]


def _of_store(agent: bytes, state: AgentState | None, ids: Collection[bytes]) -> list[Difference]:
    wanted, got = set((state or NOBODY).ids), set(ids)
    if wanted == got and len(ids) == len(got):
        return []
    missing, extra = sorted(wanted - got), sorted(got - wanted)
    shown = "; ".join(f"{word} {ids[0].hex()[:16]}" for word, ids in (("lacks", missing), ("has too", extra)) if ids)
    text = f"{len(ids)} ids ({len(missing)} missing, {len(extra)} too many{': ' if shown else ''}{shown})"
    return [Difference(agent, "stored ids", f"{len(wanted)} ids", text)]
