"""The chain view against a naive fold: a list of blocks, and the set of all that ever left it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.block import BlockRef, Step
from streams.core.canonical import BrokenChainError, CanonicalView, ChainStep
from streams.core.presence import Fact, Presence
from tests.samples import SAMPLES
from tests.steps import block, step_final, step_new, step_undo


@dataclass
class Naive:
    """The chain as a list; what was ever removed and is not on it now is undone."""

    chain: list[BlockRef] = field(default_factory=list)
    removed: set[bytes] = field(default_factory=set)
    steps: list[ChainStep] = field(default_factory=list)
    every: set[BlockRef] = field(default_factory=set)
    final: int = -1

    def new(self, fork: int) -> None:
        number = len(self.chain)
        ref = block(number, fork, self.chain[-1].hash if self.chain else bytes(32))
        self.chain.append(ref)
        self.removed.discard(ref.hash)
        self.every.add(ref)
        self.steps.append(step_new(len(self.steps), ref))

    def undo(self, depth: int) -> None:
        depth = min(depth, len(self.chain) - 1 - max(self.final, 0))
        if depth < 1:
            return
        gone = list(reversed(self.chain[-depth:]))
        del self.chain[-depth:]
        self.removed.update(ref.hash for ref in gone)
        self.steps.append(step_undo(len(self.steps), gone, self.chain[-1]))

    def finalize(self, back: int) -> None:
        height = len(self.chain) - 1 - back
        if height > self.final:
            self.final = height
            self.steps.append(step_final(len(self.steps), self.chain[height], self.chain[-1]))


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["new", "new", "new", "undo", "finalize"]), st.integers(0, 5)), min_size=1, max_size=60
)


def folded(actions: list[tuple[str, int]], **limits: int) -> tuple[Naive, CanonicalView]:
    naive, view = Naive(), CanonicalView(**limits)
    naive.new(0)
    for name, number in actions:
        getattr(naive, name)(number)
    for step in naive.steps:
        view.apply(step)
    return naive, view


@given(ACTIONS, st.integers(0, 8))
def test_view_equals_naive_fold(actions: list[tuple[str, int]], margin: int) -> None:
    naive, view = folded(actions, margin=margin)
    on_chain = {ref.hash for ref in naive.chain}
    assert view.head == naive.chain[-1]
    assert (view.final.number if view.final else -1) == naive.final
    for ref in naive.every:
        assert view.canonical(ref.hash) == (ref.hash not in naive.removed)
        assert view.holds(ref.number, ref.hash) == (ref.hash in on_chain)
    assert view.undone == len(naive.removed)


@given(ACTIONS, st.integers(0, 8))
def test_block_not_seen_is_not_held_near_the_tip(actions: list[tuple[str, int]], margin: int) -> None:
    naive, view = folded(actions, margin=margin)
    head = naive.chain[-1]
    unseen = block(head.number + 1, 77, head.hash)
    assert view.canonical(unseen.hash)
    assert not view.holds(unseen.number, unseen.hash)
    assert not view.holds(head.number, b"\x99" * 32)


@given(ACTIONS)
def test_window_is_bounded_and_forgetting_is_counted(actions: list[tuple[str, int]]) -> None:
    naive, view = folded(actions, margin=2, window_limit=4, undone_limit=3)
    assert view.window <= 4
    assert view.undone <= 3
    assert view.undone + view.forgotten >= len(naive.removed)
    assert view.holds(naive.chain[-1].number, naive.chain[-1].hash)


@given(ACTIONS, st.data())
def test_a_cut_log_is_refused_and_changes_nothing(actions: list[tuple[str, int]], data: st.DataObject) -> None:
    naive, view = Naive(), CanonicalView()
    naive.new(0)
    for name, number in actions:
        getattr(naive, name)(number)
    naive.new(9)
    cut = data.draw(st.integers(0, len(naive.steps) - 2))
    for step in naive.steps[:cut]:
        view.apply(step)
    before = (view.head, view.final, view.sequence, view.window, view.undone)
    with pytest.raises(BrokenChainError):
        view.apply(naive.steps[cut + 1])
    assert (view.head, view.final, view.sequence, view.window, view.undone) == before


def genesis() -> tuple[CanonicalView, BlockRef, BlockRef]:
    view = CanonicalView()
    root = block(0, 0, bytes(32))
    first = block(1, 0, root.hash)
    view.apply(step_new(0, root))
    view.apply(step_new(1, first))
    return view, root, first


def test_undone_block_that_comes_back_is_canonical_again() -> None:
    view, root, first = genesis()
    other = block(1, 1, root.hash)
    for step in (
        step_undo(2, [first], root),
        step_new(3, other),
        step_undo(4, [other], root),
        step_new(5, first),
    ):
        view.apply(step)
    assert view.holds(1, first.hash)
    assert view.canonical(first.hash)
    assert not view.canonical(other.hash)
    assert [reorg.depth for reorg in view.reorgs] == [1, 1]
    assert view.undo_count == 2


@pytest.mark.parametrize("fault", ["wrong parent", "wrong head", "no ancestor", "broken links", "nothing removed", "repeated"])
def test_steps_that_do_not_follow_are_refused(fault: str) -> None:
    view, root, first = genesis()
    undo = step_undo(2, [first], root)
    wrong = {
        "wrong parent": step_new(2, block(2, 0, b"\x07" * 32)),
        "wrong head": step_undo(2, [root], block(-1, 0, bytes(32))),
        "no ancestor": replace(undo, ancestor=None),
        "broken links": replace(undo, ancestor=block(0, 5, bytes(32))),
        "nothing removed": replace(undo, removed=()),
        "repeated": step_new(1, first),
    }[fault]
    with pytest.raises(BrokenChainError):
        view.apply(wrong)
    assert view.head == first
    view.apply(undo)


def test_log_that_does_not_begin_at_its_beginning_is_refused() -> None:
    with pytest.raises(BrokenChainError, match="where 0 was due"):
        CanonicalView().apply(step_new(3, block(3, 0, bytes(32))))
    late = CanonicalView(first=None)
    late.apply(step_new(3, block(3, 0, bytes(32))))
    assert late.head is not None
    assert late.head.number == 3


def test_reorg_below_finality_is_followed() -> None:
    view = CanonicalView(margin=0)
    chain = [block(0, 0, bytes(32))]
    view.apply(step_new(0, chain[0]))
    for number in range(1, 6):
        chain.append(block(number, 0, chain[-1].hash))
        view.apply(step_new(number, chain[-1]))
    view.apply(step_final(6, chain[4], chain[5]))
    view.apply(step_undo(7, list(reversed(chain[2:])), chain[1]))
    other = block(2, 1, chain[1].hash)
    view.apply(step_new(8, other))
    assert [view.holds(ref.number, ref.hash) for ref in chain] == [True, True, False, False, False, False]
    assert view.holds(2, other.hash)


def test_presence_counts_only_facts_of_blocks_in_view() -> None:
    view, root, first = genesis()
    unseen = block(2, 0, first.hash)
    here = Presence().upsert(Fact(b"a" * 32, first.hash, 1))
    assert view.live(here)
    assert not view.live(Presence().upsert(Fact(b"a" * 32, unseen.hash, 2)))
    assert view.live(here.delete(Fact(b"b" * 32, unseen.hash, 2)))
    assert not view.live(here.delete(Fact(b"c" * 32)))
    view.apply(step_undo(2, [first], root))
    assert not view.live(here)
    assert view.live(Presence().upsert(Fact(b"d" * 32)))


def test_step_kinds_are_kept_by_the_record_form() -> None:
    step = ChainStep.of(SAMPLES["BlockNotification"])
    assert step.step is Step.UNDO
    assert step.removed == (step.block,)
    assert step.ancestor == step.head == step.final
    assert step.timestamp == 1_700_000_000
