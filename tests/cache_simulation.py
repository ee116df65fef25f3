"""Questions to a cached finder while all it reads from moves, each answer against an oracle that caches nothing.

One seeded run: a log of blocks, undos (some of them below the floor of the view) and finality; a view, a store of memories and
a store of vectors that follow it each at its own pace, so that stores are ahead of the view or behind it; commands; memories
that start or end to be true as time goes by; purges, sweeps, expiry. Something may also move at every wait inside the answering
of a question. What is answered must be what the oracle says at one of the moments between question and answer, and must speak
of the view as it stood at the end.

    .venv/bin/python -m tests.cache_simulation [--operations 1000000] [--seed 1]
"""

from __future__ import annotations

import argparse
import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from schemas.defaults import plain_memory
from schemas.records import Memory, MemoryFact
from streams.core.block import BlockRef, Step
from streams.core.canonical import CanonicalView, ChainStep
from streams.core.moment import Moment
from streams.core.validity import start_of
from streams.ports.stores import Footing, StoredMemory, VectorRow, Version
from streams.serving.cache.finder import CachedFinder
from streams.serving.cache.freshness import Freshness
from streams.serving.cache.levels import HITS, Limits
from streams.serving.context.request import ContextRequest
from streams.serving.reads import MemoryReads
from streams.serving.wire import Context
from tests.serving_fakes import FakeMemoryStore, FakeVectorStore
from tests.steps import block, step_final, step_new, step_undo

AGENTS = tuple(bytes([n]) * 20 for n in range(1, 7))
QUERIES = tuple(f"question {n}" for n in range(4))
VECTOR = np.ones(1, np.float32)
RESTLESS = 0.02
"""Chance that something moves at a wait."""
MANY, FEW = 100_000, 4
MakeFreshness = Callable[..., Freshness]


@dataclass(slots=True)
class Verdict:
    """What a run saw."""

    operations: int
    questions: int
    hits: int
    stale: list[str]
    events: Counter[str]


class Restless(FakeMemoryStore):
    """A store at whose every read the world may move before the answer is made, and after."""

    def __init__(self, world: Simulation) -> None:
        super().__init__()
        self.world = world

    async def version(self, agent: bytes) -> Version | None:
        self.world.wait()
        found = await super().version(agent)
        self.world.wait()
        return found

    async def footing(self, agent: bytes, since: int, now: int) -> Footing | None:
        self.world.wait()
        found = await super().footing(agent, since, now)
        self.world.wait()
        return found


class RestlessVectors(FakeVectorStore):
    """As ``Restless``."""

    def __init__(self, world: Simulation) -> None:
        super().__init__()
        self.world = world

    async def version(self, agent: bytes) -> Version | None:
        self.world.wait()
        return await super().version(agent)


class LoggedChain:
    """A ChainReader whose barrier reads to where the log ended at the call, or further."""

    def __init__(self, world: Simulation, undone_limit: int) -> None:
        self.view = CanonicalView(margin=4, undone_limit=undone_limit)
        self.world = world
        self.read = 0

    async def barrier(self) -> None:
        end = len(self.world.log)
        self.world.wait()
        self.follow(end)

    def follow(self, end: int) -> None:
        while self.read < end:
            self.view.apply(self.world.log[self.read])
            self.read += 1

    async def lag(self) -> int:
        return len(self.world.log) - self.read


class Simulation:
    """``make``: builds the freshness under test. ``undone_limit``: undone blocks that the view remembers."""

    def __init__(self, seed: int, make: MakeFreshness = Freshness, undone_limit: int = MANY, ttl: float = 60.0) -> None:
        self.random = random.Random(seed)
        self.log: list[ChainStep] = []
        self.facts: dict[bytes, list[MemoryFact]] = {}
        self.chain_of_log: list[BlockRef] = []
        self.undone: list[BlockRef] = []
        self.now = 0.0
        self.made = 0
        self.stored = self.embedded = 0
        self.moments: set[str] | None = None
        self.asking: ContextRequest | None = None
        self.memories, self.vectors, self.chain = Restless(self), RestlessVectors(self), LoggedChain(self, undone_limit)
        self.finder = CachedFinder(
            self,
            MemoryReads(self.chain, self.memories),
            make(self.chain, self.memories, [self.vectors]),
            Limits(size=200_000, hot=8, ttl=ttl),
            clock=lambda: self.now,
        )
        self.verdict = Verdict(0, 0, 0, [], Counter())
        self._new_block()

    async def run(self, operations: int) -> Verdict:
        """Runs, and says what was seen. ``events`` counts what the cache did."""
        for _ in range(operations):
            self.verdict.operations += 1
            if self.random.random() < 0.85:
                await self._ask()
            else:
                self._move()
        cache = self.finder.cache
        assert cache is not None
        self.verdict.hits = sum(cache.counts[event] for event in HITS)
        self.verdict.events = Counter({event.value: count for event, count in cache.counts.items()})
        return self.verdict

    async def find(self, request: ContextRequest) -> Context:
        """The uncached finder, with waits between its looks."""
        await self.chain.barrier()
        for _ in range(8):
            stood = self.chain.view.sequence
            rows = [(i, row) for (agent, i), row in self.memories.rows.items() if agent == request.agent]
            self.wait()
            known = {i for agent, i in self.vectors.rows if agent == request.agent}
            self.wait()
            if self.chain.view.sequence == stood:
                break
        return self._context(request, self._text(request, rows, known))

    def wait(self) -> None:
        """A point where something else may run."""
        if self.moments is None or self.random.random() >= RESTLESS:
            return
        for _ in range(self.random.randint(1, 4)):
            self._move()
            self._note()

    def oracle(self, request: ContextRequest) -> str:
        """The answer at this moment, from scratch."""
        rows = [(i, row) for (agent, i), row in self.memories.rows.items() if agent == request.agent]
        return self._text(request, rows, {i for agent, i in self.vectors.rows if agent == request.agent})

    def _text(self, request: ContextRequest, rows: Sequence[tuple[bytes, StoredMemory]], known: set[bytes]) -> str:
        assert request.when is not None
        live = [row.memory for i, row in rows if i in known and row.memory and self.chain.view.live(row.presence)]
        starts = {memory["id"]: start_of(memory, request.when.clock) for memory in live if _true(memory, request.when.clock)}
        return " ".join(sorted(f"{i.hex()[-6:]}@{start}" for i, start in starts.items())[: request.max_results])

    def _context(self, request: ContextRequest, text: str) -> Context:
        as_of = MemoryReads(self.chain, self.memories).as_of()
        return Context.model_construct(agent=request.agent.hex(), query=text, items=[], tokens=0, left_out=0, as_of=as_of)

    async def _ask(self) -> None:
        agent, query, results = self.random.choice(AGENTS), self.random.choice(QUERIES), self.random.choice((3, 50))
        request = ContextRequest(agent, query, results, when=Moment(int(self.now)))
        self.verdict.questions += 1
        self.moments, self.asking = set(), request
        self._note()
        answered = await self.finder.answer(request)
        self._note()
        said = Context.model_construct(**_decoded(answered.body))
        if answered.cached:
            if said.query not in self.moments:
                self.verdict.stale.append(f"operation {self.verdict.operations}: {said.query!r} not in {sorted(self.moments)}")
            if said.as_of["sequence"] != self.chain.view.sequence:  # type: ignore[index]
                self.verdict.stale.append(f"operation {self.verdict.operations}: speaks of {said.as_of}")
        self.moments = self.asking = None

    def _note(self) -> None:
        assert self.moments is not None and self.asking is not None
        self.moments.add(self.oracle(self.asking))

    def _move(self) -> None:
        """One thing moves."""
        moves: list[tuple[Callable[[], None], float]] = [
            (self._new_block, 4), (self._undo, 1), (self._final, 1), (self._again, 0.7), (self._store, 6), (self._embed, 6),
            (self._see, 3), (self._command, 1), (self._tick, 1), (self._purge, 0.1), (self._sweep, 0.1),
        ]  # fmt: skip
        (move,) = self.random.choices([m for m, _ in moves], [w for _, w in moves])
        move()

    def _new_block(self) -> None:
        parent = self.chain_of_log[-1] if self.chain_of_log else None
        number = parent.number + 1 if parent else 0
        self._add(block(number, self.random.getrandbits(30), parent.hash if parent else bytes(32)))

    def _again(self) -> None:
        """A block that was undone comes back, as it was."""
        back = [ref for ref in self.undone if ref.parent == self.chain_of_log[-1].hash]
        if back:
            self._add(back[0])

    def _add(self, ref: BlockRef) -> None:
        if ref.hash not in self.facts:
            self.facts[ref.hash] = [self._fact(ref) for _ in range(self.random.choice((0, 0, 1, 1, 2)))]
        self.chain_of_log.append(ref)
        self.log.append(step_new(len(self.log), ref))

    def _undo(self) -> None:
        (wanted,) = self.random.choices((1, 2, 3, 4, 10), (50, 25, 15, 8, 2))
        depth = min(wanted, len(self.chain_of_log) - 1)
        if depth:
            removed = self.chain_of_log[-depth:][::-1]
            del self.chain_of_log[-depth:]
            self.undone = [*removed, *self.undone][:12]
            self.log.append(step_undo(len(self.log), removed, self.chain_of_log[-1]))

    def _final(self) -> None:
        head = self.chain_of_log[-1]
        final = self.chain_of_log[max(0, len(self.chain_of_log) - 3)]
        self.log.append(step_final(len(self.log), final, head))

    def _fact(self, ref: BlockRef | None) -> MemoryFact:
        self.made += 1
        agent = self.random.choice(AGENTS)
        at = None if ref is None else {"number": ref.number, "hash": ref.hash, "parent": ref.parent}
        held = [i for (owner, i) in self.memories.rows if owner == agent]
        fact: dict[str, Any] = {"op": "UPSERT", "cause": self.made.to_bytes(32, "big"), "owner": agent, "block": at}
        if held and (self.random.random() < 0.3 or len(held) > 12):
            return fact | {"op": "DELETE", "memory_id": self.random.choice(held), "memory": None}  # type: ignore[return-value]
        memory_id = self.made.to_bytes(32, "big")
        memory = plain_memory(memory_id, agent, "EPISODIC", "COMMAND", self._time(20 if self.random.random() < 0.1 else -1))
        memory["valid_from"], memory["valid_to"] = (self._time(30) if self.random.random() < 0.1 else None for _ in range(2))
        return fact | {"memory_id": memory_id, "memory": memory}  # type: ignore[return-value]

    def _time(self, ahead: int) -> int:
        return int(self.now) + self.random.randint(-200, ahead)

    def _store(self) -> None:
        """The memory agent takes some steps of the log."""
        for _ in range(min(self.random.randint(1, 3), len(self.log) - self.stored)):
            step = self.log[self.stored]
            self.stored += 1
            if step.step is Step.NEW:
                _now(self.memories.apply(self.facts[step.block.hash]))
            for ref in step.removed:
                _now(self.memories.revert(self.facts[ref.hash]))

    def _embed(self) -> None:
        """The embedding agent takes some steps that the memory agent took before."""
        for _ in range(min(self.random.randint(1, 3), self.stored - self.embedded)):
            step = self.log[self.embedded]
            self.embedded += 1
            if step.step is Step.NEW:
                self._vectors_of(self.facts[step.block.hash], there=True)
            for ref in step.removed:
                self._vectors_of(self.facts[ref.hash], there=False)

    def _vectors_of(self, facts: Sequence[MemoryFact], there: bool) -> None:
        keys = [(fact["owner"], fact["memory_id"]) for fact in facts if fact["op"] == "UPSERT"]
        _now(self.vectors.upsert([VectorRow(*key, VECTOR) for key in keys]) if there else self.vectors.delete(keys))

    def _see(self) -> None:
        """The view takes one step."""
        self.chain.follow(min(len(self.log), self.chain.read + 1))

    def _command(self) -> None:
        """A command, or all that an agent has is taken back, as an erasure would."""
        if self.random.random() < 0.9:
            fact = self._fact(None)
            _now(self.memories.apply([fact]))
            self._vectors_of([fact], there=True)
            return
        agent = self.random.choice(AGENTS)
        for owner, memory_id in [key for key in self.memories.rows if key[0] == agent]:
            del self.memories.rows[owner, memory_id]
            self.memories.versions.note(owner, memory_id, there=False)
        _now(self.vectors.delete([key for key in self.vectors.rows if key[0] == agent]))

    def _tick(self) -> None:
        self.now += self.random.random() * 20

    def _purge(self) -> None:
        self.finder.purge(self.random.choice(AGENTS))

    def _sweep(self) -> None:
        self.finder.tend()


def _true(memory: Memory, now: int) -> bool:
    ends = memory["valid_to"]
    return start_of(memory, now) <= now and (ends is None or now < ends)


def _now(call: Any) -> None:
    """Runs a coroutine of a fake, which waits for nothing."""
    try:
        call.send(None)
    except StopIteration:
        return
    raise AssertionError("a fake waited")


def _decoded(body: bytes) -> dict[str, Any]:
    decoded: dict[str, Any] = orjson.loads(body)
    return decoded


def simulate(seed: int, operations: int, make: MakeFreshness = Freshness, undone_limit: int = MANY) -> Verdict:
    """One run."""
    return asyncio.run(Simulation(seed, make, undone_limit).run(operations))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--remembered", type=int, default=100_000, help="undone blocks that the view remembers")
    args = parser.parse_args()
    verdict = simulate(args.seed, args.operations, undone_limit=args.remembered)
    print(
        f"{verdict.operations:,} mixed operations (seed {args.seed}): {verdict.questions:,} questions, "
        f"{verdict.hits:,} answered from the cache, {len(verdict.stale)} stale"
    )
    print("  " + ", ".join(f"{event} {count:,}" for event, count in sorted(verdict.events.items())))
    if verdict.stale:
        raise SystemExit("\n".join(verdict.stale[:5]))


if __name__ == "__main__":
    main()
