"""Every behaviour, in small scope, of the state machine of rewinds, checkpoints, commits, fencing and local state.

A history (blocks, undos, blocks that come back) lies in one partition, one offset a unit. Workers take the partition over, read
checkpoints and then offsets, bring local state up, fold any number of units, commit, write local state, and crash between any
two of these; a worker that was overtaken goes on until its commit is refused. Folding changes nothing outside, so it is one
step with the commit. All interleavings are visited, states once each.
Decisions are those of ``streams.core`` itself (live chain, undo plans, slots, standings); what surrounds them follows
``streams.runtime`` step by step. The fold is the list of standing blocks, so that any wrong step shows in its state.
The whole scope is every history of 6 blocks and 3 undos, with 2 workers, 2 crashes, and disks of their own or one for both:
3,630 models of some 50,000 states, more than an hour of processor time, visited by ``python -m tests.sim --model --jobs 2``.
The tests visit a few of these, all much smaller histories, and every twentieth of these histories with one worker.
Invariants, in every state: what is committed is the fold of the log up to the committed offset, checkpoints included; outputs
begin where the last ones ended; local state and a worker's state are the fold up to their own positions; no rewind reads back
anything but the live block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from blake3 import blake3

from streams.core.block import ZERO_HASH, BlockRef
from streams.core.chain import LiveBlock, LiveChain
from streams.core.checkpoint import NOWHERE, TIP, Checkpoint, SlotPolicy, history_before
from streams.core.ids import content_id
from streams.core.position import beginning, can_reach, named, stand
from streams.core.undo import UndoPlan, Unplannable, plan_undo

GENESIS = BlockRef(0, content_id("model", 0), ZERO_HASH)
TOPIC = "t"
SPACING = 12


class Known(tuple[Any, ...]):
    """A tuple of which there is one object of each value, so that states are told apart by comparing pointers."""

    __slots__ = ()
    __hash__ = object.__hash__
    __eq__ = object.__eq__
    __ne__ = object.__ne__


_KNOWN: dict[tuple[Any, ...], Known] = {}


def known(*values: object) -> Known:
    """The one tuple of these values."""
    found = _KNOWN.get(values)
    return _KNOWN.setdefault(values, Known(values)) if found is None else found


Slots = Known
"""(slot, block, offset, live), sorted: checkpoints in a form that can be compared."""
State = Known
NOTHING = known()


class Broken(AssertionError):
    """An invariant does not hold."""


class Added(NamedTuple):
    block: BlockRef


class Removed(NamedTuple):
    blocks: tuple[BlockRef, ...]
    ancestor: BlockRef


History = tuple[Added | Removed, ...]
SCOPE = (6, 3)
"""Blocks and undos of the whole scope; its other bounds, 2 workers and 2 crashes, are the defaults of ``Model``."""


def histories(blocks: int, undos: int) -> Iterator[History]:
    """Every history of exactly so many blocks and undos; a removed block may come back, or a sibling takes its place."""

    def grow(units: History, chain: tuple[BlockRef, ...], left: int, cuts: int) -> Iterator[History]:
        if not left and not cuts:
            yield units
        if left:
            head = chain[-1]
            seen = [unit.block for unit in units if isinstance(unit, Added) and unit.block.parent == head.hash]
            fresh = BlockRef(head.number + 1, content_id("model", len(units) + 1), head.hash)
            for block in dict.fromkeys([fresh, *seen[-1:]]):
                yield from grow((*units, Added(block)), (*chain, block), left - 1, cuts)
        if cuts:
            for depth in range(1, len(chain)):
                removed = Removed(tuple(reversed(chain[-depth:])), chain[-depth - 1])
                yield from grow((*units, removed), chain[:-depth], left, cuts - 1)

    return grow((), (GENESIS,), blocks, undos)


class Run(NamedTuple):
    """A worker's fold: everything before ``position`` is in ``state``; ``chain`` newest last.

    ``head``: one block, or None. ``history``: what it read of checkpoints kept for history when it opened.
    ``unsaved``: slots to write.
    """

    position: int
    state: State
    chain: tuple[LiveBlock, ...]
    head: Known
    history: Slots = NOTHING
    unsaved: Slots = NOTHING


class Worker(NamedTuple):
    """``phase``: down, started, read, behind, running. ``slots``: checkpoints as read. ``goal``: offset as read.

    ``seen``: the tip of local state as this owner last saw it.
    """

    phase: str = "down"
    slots: Slots = NOTHING
    goal: int = 0
    run: Run | None = None
    seen: Slots = NOTHING


class Disk(NamedTuple):
    """Local state: who opened it last, the slots and the state it holds."""

    owner: int = -1
    slots: Slots = NOTHING
    state: State = NOTHING


class World(NamedTuple):
    """``owner``: worker whose epoch is the newest."""

    committed: int
    slots: Slots
    state: State
    owner: int
    workers: tuple[Worker, ...]
    disks: tuple[Disk, ...]
    crashes: int


def digest(state: State) -> bytes:
    return blake3(b"".join(state)).digest()


@lru_cache(maxsize=1 << 18)
def opened(slots: Slots) -> Mapping[str, Checkpoint]:
    return {name: Checkpoint("m", 0, name, TOPIC, at, {TOPIC: offset}, live) for name, at, offset, live in slots}


@lru_cache(maxsize=1 << 18)
def tip_of(slots: Slots) -> Checkpoint | None:
    return opened(slots).get(TIP)


@lru_cache(maxsize=1 << 18)
def seen_in(slots: Slots) -> Slots:
    """The tip alone, in the form that can be compared."""
    return known(*(entry for entry in slots if entry[0] == TIP))


def kept(slots: Slots) -> Slots:
    """Those kept for history."""
    return known(*(entry for entry in slots if entry[0].startswith("h")))


def forget() -> None:
    """Lets go of what was known; nothing of a model made before may be used afterwards."""
    for remembered in (opened, tip_of, seen_in, merged):
        remembered.cache_clear()
    _KNOWN.clear()
    _KNOWN[()] = NOTHING


def packed(slots: Mapping[str, Checkpoint]) -> Slots:
    return known(*sorted((name, c.at, c.offsets[TOPIC], c.live) for name, c in slots.items()))


@lru_cache(maxsize=1 << 18)
def merged(below: Slots, above: Slots) -> Slots:
    return packed({**opened(below), **opened(above)})


@dataclass(frozen=True)
class Model:
    """``shared``: whether the workers have one disk."""

    history: History
    policy: SlotPolicy
    workers: int = 2
    crashes: int = 2
    shared: bool = False
    folds: dict[tuple[object, ...], tuple[Run, Slots]] = field(default_factory=dict)

    # The fold.
    def fold(self, run: Run, stop: int) -> tuple[Run, Slots]:
        """After the units up to ``stop``, and the slots that sets."""
        key = (*run[:5], stop)
        if key not in self.folds:
            self.folds[key] = self._fold(run, stop)
        after, slots = self.folds[key]
        return after._replace(unsaved=run.unsaved), slots

    def _fold(self, run: Run, stop: int) -> tuple[Run, Slots]:
        chain, state, slots = LiveChain(self.policy.ring, run.head[0], run.chain), list(run.state), dict[str, Checkpoint]()
        for at in range(run.position, stop):
            unit = self.history[at]
            if isinstance(unit, Added):
                self._add(chain, state, slots, at, unit.block)
            else:
                chain = self._remove(chain, state, slots, at, unit, run.history)
        live = LiveBlock(chain.head or NOWHERE, stop - 1, stop - 1, stop - 1, 0, ZERO_HASH, digest(known(*state)))
        slots[TIP] = Checkpoint("m", 0, TIP, TOPIC, live, {TOPIC: stop})
        blocks = tuple(reversed(chain.newest(self.policy.ring)))
        return Run(stop, known(*state), known(*blocks), known(chain.head), run.history, run.unsaved), packed(slots)

    def _add(self, chain: LiveChain, state: list[bytes], slots: dict[str, Checkpoint], at: int, block: BlockRef) -> None:
        state.append(block.hash)
        times = (SPACING * block.number, SPACING * (block.number - 1) if block.number else None)
        live = LiveBlock(block, at, at, at, 0, ZERO_HASH, digest(known(*state)), *times)
        chain.push(live)
        for slot in self.policy.slots(live, None):
            slots[slot] = Checkpoint("m", 0, slot, TOPIC, live, {TOPIC: at + 1})

    def _remove(
        self, chain: LiveChain, state: list[bytes], slots: dict[str, Checkpoint], at: int, undo: Removed, history: Slots
    ) -> LiveChain:
        plan = plan_undo(chain, undo.blocks, undo.ancestor)
        if isinstance(plan, Unplannable):
            chain = self._survey(at, undo.blocks[-1].number, history)
            plan = plan_undo(chain, undo.blocks, undo.ancestor)
        if not isinstance(plan, UndoPlan):
            raise Broken(f"no plan for the undo at {at}: {plan.reason}")
        for live in plan.blocks:
            if self.history[live.marker] != Added(live.block) or not state or state.pop() != live.block.hash:
                raise Broken(f"the undo at {at} takes back {live.block} at {live.marker}, which is not what was applied last")
            for slot in self.policy.slots(live, None):
                slots[slot] = Checkpoint("m", 0, slot, TOPIC, live, {TOPIC: at}, live=False)
        if plan.state not in (None, digest(known(*state))):
            raise Broken(f"after the undo at {at} the state is not the checkpoint's")
        chain.drop(len(undo.blocks), undo.ancestor)
        return chain

    def _since(self, stop: int, number: int, history: Slots) -> Checkpoint | None:
        return history_before(opened(history), number, stop)

    def _survey(self, stop: int, number: int, history: Slots) -> LiveChain:
        since = self._since(stop, number, history)
        chain = LiveChain(1 << 20)
        for at in range(since.at.start if since else 0, stop):
            unit = self.history[at]
            if isinstance(unit, Added):
                chain.push(LiveBlock(unit.block, at, at, at, 0, ZERO_HASH))
            else:
                chain.drop(len(unit.blocks), unit.ancestor)
        return chain

    # The steps of a worker.
    def steps(self, world: World, number: int) -> Iterator[World]:
        """Every state one step of this worker leads to."""
        worker = world.workers[number]
        if worker.phase == "down":
            yield self._with(world, number, Worker("started"))._replace(owner=number)
            return
        if world.crashes:
            yield self._with(world, number, Worker())._replace(crashes=world.crashes - 1)
        if worker.phase == "started":
            yield self._with(world, number, Worker("read", world.slots))
        elif worker.phase == "read":
            yield self._open(world, number, worker)
        elif worker.phase == "behind":
            yield self._catch_up(world, number, worker)
        elif worker.phase == "running":
            yield from self._go_on(world, number, worker)

    @staticmethod
    def _with(world: World, number: int, worker: Worker) -> World:
        committed, slots, state, owner, workers, disks, crashes = world
        changed = (*workers[:number], worker, *workers[number + 1 :])
        return World(committed, slots, state, owner, changed, disks, crashes)

    def _disk(self, number: int) -> int:
        return 0 if self.shared else number

    def _wrote(self, world: World, number: int, disk: Disk) -> World:
        place = self._disk(number)
        return world._replace(disks=(*world.disks[:place], disk, *world.disks[place + 1 :]))

    def _open(self, world: World, number: int, worker: Worker) -> World:
        """Reads the offsets, opens local state, and throws it away if it is of no use."""
        disk = world.disks[self._disk(number)]
        tip, read = tip_of(disk.slots), tip_of(worker.slots)
        goal = stand(TOPIC, {TOPIC: world.committed or None}, {TOPIC: (0, len(self.history))}, read)
        if tip is not None and can_reach(tip.offsets, goal.offsets):
            start, state = named(TOPIC, dict(tip.offsets), tip), disk.state
        else:
            start, state, disk = beginning({TOPIC: 0}), NOTHING, Disk()
        chain = self.policy.chain(opened(disk.slots))
        if chain.head != start.head:
            chain = self.policy.chain({})
            chain.head = start.head
        blocks = tuple(reversed(chain.newest(self.policy.ring)))
        run = Run(start.offsets[TOPIC], state, known(*blocks), known(chain.head), kept(worker.slots))
        behind = Worker("behind", worker.slots, goal.offsets[TOPIC], run, seen_in(disk.slots))
        return self._with(self._wrote(world, number, disk._replace(owner=number)), number, behind)

    def _catch_up(self, world: World, number: int, worker: Worker) -> World:
        """Does committed work again, up to the offset read, and writes local state."""
        assert worker.run is not None
        read = tip_of(worker.slots)
        run, slots = self.fold(worker.run, worker.goal) if worker.run.position < worker.goal else (worker.run, NOTHING)
        if read is not None and read.offsets[TOPIC] == worker.goal and read.at.state != digest(run.state):
            raise Broken("local state brought up is not the state that was committed")
        after = self._with(world, number, Worker("running", run=run, seen=worker.seen))
        return self._save(after, number, slots) if slots else after

    def _go_on(self, world: World, number: int, worker: Worker) -> Iterator[World]:
        """Commits any number of further units, or is refused; or writes local state."""
        run = worker.run
        assert run is not None
        if world.owner != number:
            yield self._with(world, number, Worker())
        else:
            for stop in range(run.position + 1, len(self.history) + 1):
                yield self._commit(world, number, *self.fold(run, stop))
        if run.unsaved:
            yield self._save(world, number, run.unsaved)

    def _save(self, world: World, number: int, slots: Slots) -> World:
        """Writes local state as a compare-and-set; a worker that loses it starts anew."""
        worker, disk = world.workers[number], world.disks[self._disk(number)]
        assert worker.run is not None
        if disk.owner != number or seen_in(disk.slots) != worker.seen:
            return self._with(world, number, Worker())
        after = merged(disk.slots, slots)
        saved = Worker("running", run=worker.run._replace(unsaved=NOTHING), seen=seen_in(after))
        return self._with(self._wrote(world, number, Disk(number, after, worker.run.state)), number, saved)

    def _commit(self, world: World, number: int, run: Run, slots: Slots) -> World:
        worker, unsaved = world.workers[number], merged(run.unsaved, slots)
        if worker.run is None or worker.run.position != world.committed:
            raise Broken(f"outputs up to {run.position} do not begin where the last ones ended, at {world.committed}")
        running = worker._replace(run=run._replace(unsaved=unsaved))
        done = world._replace(committed=run.position, slots=merged(world.slots, slots), state=run.state)
        return self._with(done, number, running)

    # The check.
    def explore(self) -> int:
        """Visits every state there is; how many there were. Raises Broken."""
        first, wanted = self.first(), self._wanted()
        seen, todo, ended = {first}, [first], False
        while todo:
            world = todo.pop()
            self._require(world, wanted)
            ended = ended or world.committed == len(self.history)
            for number in range(self.workers):
                for after in self.steps(world, number):
                    if after not in seen:
                        if after.committed < world.committed:
                            raise Broken("committed offsets went back")
                        seen.add(after)
                        todo.append(after)
        if not ended:
            raise Broken("the end is never reached")
        return len(seen)

    def first(self) -> World:
        """Nothing has happened."""
        disks = 1 if self.shared else self.workers
        return World(0, NOTHING, NOTHING, -1, (Worker(),) * self.workers, (Disk(),) * disks, self.crashes)

    def _wanted(self) -> list[State]:
        """The fold by definition, at every offset."""
        states: list[State] = [NOTHING]
        for unit in self.history:
            state = states[-1]
            blocks = (*state, unit.block.hash) if isinstance(unit, Added) else state[: len(state) - len(unit.blocks)]
            states.append(known(*blocks))
        return states

    @staticmethod
    def _require(world: World, wanted: list[State]) -> None:
        if world.state != wanted[world.committed]:
            raise Broken(f"at offset {world.committed} {world.state} is committed, not {wanted[world.committed]}")
        tip = tip_of(world.slots)
        if tip is not None and (tip.offsets[TOPIC] != world.committed or tip.at.state != digest(world.state)):
            raise Broken("the tip is not of the committed offset")
        for disk in world.disks:
            at = tip_of(disk.slots)
            if at is not None and disk.state != wanted[at.offsets[TOPIC]]:
                raise Broken("local state is not that of its position")
        for worker in world.workers:
            if worker.run is not None and worker.run.state != wanted[worker.run.position]:
                raise Broken(f"a worker at {worker.run.position} holds {worker.run.state}")


class Reduced(Model):
    """The same behaviours, each state once for all that differ only in what changes nothing.

    The two workers are alike, so the one that owns the partition is made the first. Whoever has crashes left can do all that
    one with fewer can, so a state is visited with the most it can have. ``test_model`` compares with ``Model``.
    """

    def explore(self) -> int:
        return len(self.visited())

    def visited(self) -> set[World]:
        """Every state, in the form that stands for its likes. Raises Broken."""
        wanted, ended = self._wanted(), False
        seen: set[World] = set()
        todo = [self.alike(self.first())]
        for left in range(self.crashes, -1, -1):
            later: list[World] = []
            todo = [world for world in todo if world not in seen]
            seen.update(todo)
            while todo:
                world = todo.pop()
                self._require(world, wanted)
                ended = ended or world.committed == len(self.history)
                for number in range(self.workers):
                    for after in self.steps(world._replace(crashes=left), number):
                        if after.committed < world.committed:
                            raise Broken("committed offsets went back")
                        found = self.alike(after)
                        if after.crashes < left:
                            later.append(found)
                        elif found not in seen:
                            seen.add(found)
                            todo.append(found)
            todo = list(set(later))
        if not ended:
            raise Broken("the end is never reached")
        return seen

    @staticmethod
    def alike(world: World) -> World:
        """The form that stands for all like it."""
        committed, slots, state, owner, workers, disks, _ = world
        if owner != 1 or len(workers) != 2:
            return World(committed, slots, state, owner, workers, disks, 0)
        swapped = tuple(Disk(1 - disk.owner, *disk[1:]) if disk.owner >= 0 else disk for disk in reversed(disks))
        return World(committed, slots, state, 0, workers[::-1], swapped, 0)
