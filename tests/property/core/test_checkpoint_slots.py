"""Slots follow from the chain alone: block numbers and block times, whatever reorgs and restarts lie on the way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.core.block import BlockRef
from streams.core.chain import LiveBlock, LiveChain
from streams.core.checkpoint import NOWHERE, TIP, Checkpoint, SlotPolicy, history_before

gaps = st.sampled_from([0, 1, 7, 12, 12, 12, 60, 400])
grow = st.lists(gaps, min_size=1, max_size=12)
moves = st.lists(st.one_of(grow, grow, st.integers(1, 6), st.just("restart"), st.just("settle")), max_size=12)
policies = st.builds(SlotPolicy, st.integers(1, 3), st.integers(1, 7), st.sampled_from([10, 60, 300]))


class Fold:
    """What the runtime does with markers, as far as slots go. ``compacted``: the topic as compaction leaves it."""

    def __init__(self, policy: SlotPolicy) -> None:
        self.policy = policy
        self.live = LiveChain(policy.ring)
        self.blocks: list[LiveBlock] = []
        self.final: BlockRef | None = None
        self.compacted: dict[str, Checkpoint] = {}
        self.lost: set[str] = set()
        self.sequence = 0

    def _write(self, slot: str, at: LiveBlock, *, live: bool = True) -> None:
        self.compacted[slot] = Checkpoint("a", 0, slot, "t", at, {}, live)

    def _tip(self) -> None:
        head = self.live.head or NOWHERE
        self._write(TIP, LiveBlock(head, self.sequence, 0, 0, 0, bytes(32), time=self.live.time))

    def add(self, gap: int) -> None:
        parent = self.live.head
        number = parent.number + 1 if parent else 0
        self.sequence += 1
        ref = BlockRef(number, self.sequence.to_bytes(32, "big"), parent.hash if parent else bytes(32))
        time = (self.live.time if self.live.time is not None else 1_000) + gap
        at = LiveBlock(ref, self.sequence, 0, 0, 0, bytes(32), None, time, self.live.time)
        self.live.push(at)
        self.blocks.append(at)
        for slot in self.policy.slots(at, self.final):
            self._write(slot, at)
        self._tip()

    def undo(self, depth: int) -> list[int]:
        """Takes up to ``depth`` blocks back, not more than are known; the gaps that bring the same times again."""
        depth = min(depth, len(self.live), len(self.blocks) - 1)
        removed = self.live.newest(depth)
        for gone in removed:
            for slot in self.policy.slots(gone, None):
                self._write(slot, gone, live=False)
                self.lost.add(slot)
        if removed:
            del self.blocks[-depth:]
            self.live.drop(depth, self.blocks[-1].block)
            self._tip()
        return [
            gone.time - gone.parent_time for gone in reversed(removed) if gone.time is not None and gone.parent_time is not None
        ]

    def restart(self) -> None:
        self.live = self.policy.chain(self.compacted)

    def history(self) -> dict[str, LiveBlock]:
        return {slot: c.at for slot, c in self.compacted.items() if slot.startswith("h") and c.live}


def play(policy: SlotPolicy, story: list[list[int] | int | str]) -> Fold:
    fold = Fold(policy)
    for move in story:
        if isinstance(move, list):
            for gap in move:
                fold.add(gap)
        elif isinstance(move, int):
            fold.undo(move)
        elif move == "restart":
            fold.restart()
        elif fold.blocks:
            fold.final = fold.blocks[-1].block
    return fold


def of_chain(policy: SlotPolicy, blocks: list[LiveBlock]) -> dict[str, LiveBlock]:
    """The history slots of a chain that never forked: a function of numbers and times."""
    held: dict[str, LiveBlock] = {}
    for parent, at in zip([None, *blocks], blocks, strict=False):
        assert at.parent_time == (parent.time if parent else None)
        held |= dict.fromkeys((slot for slot in policy.slots(at, at.block) if slot.startswith("h")), at)
    return held


@given(policies, moves)
def test_slots_are_those_of_the_canonical_chain_but_for_what_an_undo_freed(
    policy: SlotPolicy, story: list[list[int] | int | str]
) -> None:
    fold = play(policy, story)
    expected = of_chain(policy, fold.blocks)
    held = fold.history()
    assert all(expected.get(slot) == at for slot, at in held.items())
    assert set(expected) - set(held) <= fold.lost


@given(policies, moves, st.integers(1, 6))
def test_a_rewind_over_boundaries_and_back_frees_and_rewrites_the_same_slots(
    policy: SlotPolicy, story: list[list[int] | int | str], depth: int
) -> None:
    fold = play(policy, [[12, 12], *story])
    before = {slot: (at.block.number, at.time) for slot, at in fold.history().items()}
    times = {at.time for at in fold.blocks}
    gaps_again = fold.undo(depth)
    standing = {at.block.hash for at in fold.blocks}
    assert all(at.block.hash in standing for at in fold.history().values())
    for gap in gaps_again:
        fold.add(gap)
    assert {slot: (at.block.number, at.time) for slot, at in fold.history().items()} == before
    assert {at.time for at in fold.blocks} == times


@given(policies, moves, st.integers(0, 60))
def test_history_before_names_the_nearest_canonical_block_kept(
    policy: SlotPolicy, story: list[list[int] | int | str], number: int
) -> None:
    fold = play(policy, story)
    found = history_before(fold.compacted, number, 1 << 62)
    below = [at for at in fold.history().values() if at.block.number < number]
    if found is None:
        assert not below
    else:
        assert found.at in fold.blocks
        assert found.at.block.number == max(at.block.number for at in below)
