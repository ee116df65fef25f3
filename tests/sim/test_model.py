"""The small-scope model: all interleavings of one large history, all histories with one worker, and that it can say no."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar
from unittest.mock import patch

import pytest

from streams.core.block import BlockRef
from streams.core.chain import LiveChain
from streams.core.checkpoint import Checkpoint, SlotPolicy, history_before
from streams.core.undo import UndoPlan, Unplannable, plan_undo
from tests.sim.model import (
    GENESIS,
    Added,
    Broken,
    Disk,
    History,
    Model,
    Reduced,
    Removed,
    Slots,
    Worker,
    World,
    histories,
    opened,
)  # fmt: skip
from tests.sim.scope import explored, visit

SMALL = SlotPolicy(window=1, blocks=2, seconds=24)
"""Four slots in the ring: deep undos meet blocks that no checkpoint knows, and read the log."""
LARGE = list(histories(blocks=6, undos=3))


def test_histories_are_those_of_the_scope() -> None:
    assert len(LARGE) == len(set(LARGE)) > 1_000
    for history in LARGE:
        assert sum(isinstance(unit, Added) for unit in history) == 6
        assert sum(isinstance(unit, Removed) for unit in history) == 3
    depths = {len(unit.blocks) for history in LARGE for unit in history if isinstance(unit, Removed)}
    assert depths == {1, 2, 3, 4}
    assert any(len({unit.block for unit in history if isinstance(unit, Added)}) < 6 for history in LARGE), "blocks come back"


@pytest.mark.parametrize("policy", [SMALL, SlotPolicy(window=2, blocks=300, seconds=300)], ids=["small", "large"])
def test_histories_with_one_worker_and_two_crashes(policy: SlotPolicy) -> None:
    for history in [*histories(blocks=4, undos=2), *LARGE[::20]]:
        assert Model(history, policy, workers=1).explore() > 100


@pytest.mark.parametrize("shared", [False, True])
def test_two_workers_and_two_crashes(shared: bool) -> None:
    history = max(histories(blocks=4, undos=2), key=_coming_back)
    assert Model(history, SMALL, shared=shared).explore() > 40_000


@pytest.mark.slow
def test_two_workers_and_two_crashes_on_a_history_of_the_whole_scope() -> None:
    assert Model(max(LARGE, key=_coming_back), SMALL).explore() > 150_000


def _deep(history: History) -> tuple[int, tuple[int, int]]:
    """How many blocks one undo removes, then what comes back."""
    return max(len(unit.blocks) for unit in history if isinstance(unit, Removed)), _coming_back(history)


def _coming_back(history: History) -> tuple[int, int]:
    """How many blocks come back, then how many are removed: what is hardest."""
    added = [unit.block for unit in history if isinstance(unit, Added)]
    removed = [unit for unit in history if isinstance(unit, Removed)]
    return len(added) - len(set(added)), sum(len(unit.blocks) for unit in removed)


@pytest.mark.parametrize("shared", [False, True])
def test_the_reduced_model_visits_what_the_whole_one_does(shared: bool) -> None:
    for history in list(histories(blocks=2, undos=1)) + list(histories(blocks=3, undos=1))[::7]:
        whole = Whole(history, SMALL, shared=shared)
        whole.explore()
        assert Reduced(history, SMALL, shared=shared).visited() == {Reduced.alike(world) for world in whole.seen}


class Whole(Model):
    """Keeps what it visited."""

    seen: ClassVar[set[World]]

    def steps(self, world: World, number: int) -> Iterator[World]:
        if world == self.first():
            type(self).seen = set()
        type(self).seen.add(world)
        return super().steps(world, number)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("shared", [False, True])
def test_all_small_histories_and_some_of_the_whole_scope(shared: bool) -> None:
    """``python -m tests.sim --model`` visits all of the whole scope."""
    for history in [*histories(blocks=2, undos=1), *LARGE[1::500]]:
        assert Reduced(history, SMALL, shared=shared).explore() > 1_000


def test_the_command_visits_parts_in_processes_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert visit(2, "1/3", 2) == 0
    assert "2 of 2 models" in capsys.readouterr().out
    with patch.object(Reduced, "explore", side_effect=Broken("on purpose")):
        assert explored((0, False)) == "on purpose"


class Unfenced(Model):
    """A worker that was overtaken may still commit."""

    def _go_on(self, world: World, number: int, worker: Worker) -> Iterator[World]:
        return super()._go_on(world._replace(owner=number), number, worker)


class Hasty(Model):
    """Offsets are read before the partition is taken over."""

    def steps(self, world: World, number: int) -> Iterator[World]:
        worker = world.workers[number]
        if worker.phase == "down" and not worker.goal:
            yield self._with(world, number, Worker(goal=world.committed + 1))
            return
        for after in super().steps(world, number):
            now = after.workers[number]
            early = worker.phase in ("down", "started") and now.phase in ("started", "read")
            yield self._with(after, number, now._replace(goal=worker.goal)) if early else after

    def _open(self, world: World, number: int, worker: Worker) -> World:
        return super()._open(world._replace(committed=worker.goal - 1), number, worker)._replace(committed=world.committed)


class Believing(Model):
    """Local state is taken for the committed one, wherever it stands."""

    def _catch_up(self, world: World, number: int, worker: Worker) -> World:
        assert worker.run is not None
        return super()._catch_up(world, number, worker._replace(run=worker.run._replace(position=worker.goal)))


class Torn(Model):
    """The slots of local state are written without the state."""

    def _wrote(self, world: World, number: int, disk: Disk) -> World:
        return super()._wrote(world, number, disk._replace(state=world.disks[self._disk(number)].state))


class Clairvoyant(Model):
    """Old work done again looks for blocks from checkpoints that were written behind it."""

    def _since(self, stop: int, number: int, history: Slots) -> Checkpoint | None:
        return history_before(opened(history), number, 1 << 40)


class Backwards(Model):
    """Undone blocks are taken back oldest first."""

    def _remove(self, *args: Any) -> LiveChain:
        def reverse(*asked: Any) -> UndoPlan | Unplannable:
            plan = plan_undo(*asked)
            return plan if isinstance(plan, Unplannable) else replace(plan, blocks=plan.blocks[::-1])

        with patch("tests.sim.model.plan_undo", reverse):
            return super()._remove(*args)


class Forgetful(Model):
    """An undo is not taken back from the state."""

    def _remove(self, chain: LiveChain, state: list[bytes], *args: Any) -> LiveChain:
        return super()._remove(chain, list(state), *args)


@pytest.mark.parametrize("broken", [Unfenced, Hasty, Believing, Torn, Backwards, Forgetful])
@pytest.mark.parametrize("kind", [Model, Reduced])
def test_a_broken_step_is_caught(kind: type[Model], broken: type[Model]) -> None:
    model = broken if kind is Model else type(broken.__name__, (broken, Reduced), {})
    with pytest.raises(Broken):
        model(max(histories(blocks=3, undos=2), key=_deep), SMALL).explore()


def _past_the_ring() -> History:
    """Six blocks, all taken back in three undos, the last ones older than the ring; then the first comes again."""
    chain = [GENESIS]
    for number in range(1, 7):
        chain.append(BlockRef(number, bytes([number]) * 32, chain[-1].hash))
    undos = [Removed(tuple(chain[6:2:-1]), chain[2]), Removed((chain[2],), chain[1]), Removed((chain[1],), chain[0])]
    return (*map(Added, chain[1:]), *undos, Added(chain[1]))


@pytest.mark.parametrize("kind", [Model, Reduced])
def test_checkpoints_of_the_future_are_not_used(kind: type[Model]) -> None:
    every_block = SlotPolicy(window=1, blocks=1, seconds=1 << 40)
    assert kind(_past_the_ring(), every_block, crashes=1).explore() > 1_000
    with pytest.raises(Broken, match="no plan"):
        type("Broken", (Clairvoyant, kind), {})(_past_the_ring(), every_block, crashes=1).explore()
