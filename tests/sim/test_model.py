"""The small-scope model: all interleavings of one large history, all histories with one worker, and that it can say no."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streams.core.checkpoint import SlotPolicy
from tests.sim.model import Added, Broken, Disk, History, Model, Removed, Worker, World, histories

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


def _coming_back(history: History) -> tuple[int, int]:
    """How many blocks come back, then how many are removed: what is hardest."""
    added = [unit.block for unit in history if isinstance(unit, Added)]
    removed = [unit for unit in history if isinstance(unit, Removed)]
    return len(added) - len(set(added)), sum(len(unit.blocks) for unit in removed)


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


@pytest.mark.parametrize("broken", [Unfenced, Hasty, Believing, Torn])
def test_a_broken_step_is_caught(broken: type[Model]) -> None:
    history = max(histories(blocks=3, undos=2), key=_coming_back)
    with pytest.raises(Broken):
        broken(history, SMALL).explore()
