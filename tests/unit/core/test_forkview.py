from __future__ import annotations

import pytest

from streams.core.block import BlockRef
from streams.core.forkview import ForkError, ForkView, Severity, check, finalize, grow, reorg, rewind, severity, trim


def ref(number: int, fork: int = 0, parent_fork: int | None = None) -> BlockRef:
    below = fork if parent_fork is None else parent_fork
    return BlockRef(number, bytes([fork, number]) * 16, bytes([below, number - 1]) * 16)


LINE = [ref(n) for n in range(1, 11)]
VIEW = ForkView(tuple(LINE))
BRANCH = [ref(8, 1, 0), ref(9, 1), ref(10, 1), ref(11, 1)]


def test_grows_on_the_tip_only() -> None:
    assert grow(VIEW, [ref(11)]).tip == ref(11)
    for wrong in (ref(12), ref(11, 1), ref(10)):
        with pytest.raises(ForkError):
            grow(VIEW, [wrong])


def test_reorg_names_what_leaves_newest_first() -> None:
    view, undo = reorg(VIEW, BRANCH)
    assert undo.removed == (ref(10), ref(9), ref(8))
    assert (undo.ancestor, undo.depth, undo.below_final) == (ref(7), 3, False)
    assert view.blocks == (*LINE[:7], *BRANCH)


def test_reorg_needs_a_known_parent() -> None:
    for path in ([], [ref(1, 1, 0)], [ref(12)], [ref(8, 1)]):
        with pytest.raises(ForkError):
            reorg(VIEW, path)


def test_rewind_and_grow_back_is_identity() -> None:
    shrunk, undo = rewind(VIEW, ref(4))
    assert grow(shrunk, undo.removed[::-1]) == VIEW


def test_finality_moves_forward_only() -> None:
    view = finalize(VIEW, ref(5))
    assert finalize(view, ref(3)) == view
    assert finalize(view, ref(6)).final == ref(6)
    with pytest.raises(ForkError):
        finalize(view, ref(7, 1))


def test_reorg_below_finality_pulls_it_back_and_says_so() -> None:
    view, undo = reorg(finalize(VIEW, ref(9)), BRANCH)
    assert undo.below_final
    assert view.final == ref(7)
    check(view)


def test_trim_keeps_what_is_not_final() -> None:
    assert trim(VIEW, 3) == VIEW
    assert trim(finalize(VIEW, ref(9)), 5).blocks == tuple(LINE[5:])
    assert trim(finalize(VIEW, ref(4)), 3).blocks == tuple(LINE[3:])
    assert trim(VIEW, 2, limit=4).blocks == trim(finalize(VIEW, ref(2)), 2, limit=4).blocks == tuple(LINE[6:])


def test_check_says_no() -> None:
    for view in (
        ForkView((ref(1), ref(3))),
        ForkView((ref(1), ref(2, 1))),
        ForkView(tuple(LINE), ref(11)),
        ForkView(tuple(LINE), ref(7, 1)),
        ForkView((), ref(1)),
    ):
        with pytest.raises(ForkError):
            check(view)


@pytest.mark.parametrize(
    ("depth", "conflicts", "expected"),
    [
        (1, 0, Severity.MINOR), (10, 20, Severity.MINOR), (11, 0, Severity.MAJOR), (1, 21, Severity.MAJOR),
        (50, 100, Severity.MAJOR), (51, 0, Severity.CRITICAL), (1, 101, Severity.CRITICAL), (100, 0, Severity.CRITICAL),
        (101, 0, Severity.CONSENSUS_BREAK),
    ],
)  # fmt: skip
def test_severity_classes(depth: int, conflicts: int, expected: Severity) -> None:
    assert severity(depth, conflicts) is expected
