"""The fork view against a model: a random tree of blocks and a random walk of heads over it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.block import ZERO_HASH, BlockRef
from streams.core.cursor import Cursor, Step
from streams.core.forkview import ForkError, ForkView, check, finalize, grow, reorg, rewind, trim

ROOT = BlockRef(0, (1).to_bytes(32, "big"), ZERO_HASH)


@st.composite
def trees(draw: st.DrawFn) -> list[BlockRef]:
    """Blocks 0..n, each on an earlier one; recent parents are likelier, so that branches grow."""
    blocks = [ROOT]
    for index in range(draw(st.integers(1, 40))):
        parent = blocks[max(0, len(blocks) - 1 - draw(st.sampled_from((0, 0, 0, 1, 2, 5, 30))))]
        blocks.append(BlockRef(parent.number + 1, (index + 2).to_bytes(32, "big"), parent.hash))
    return blocks


def line(tree: dict[bytes, BlockRef], tip: BlockRef) -> list[BlockRef]:
    path = [tip]
    while path[-1].number:
        path.append(tree[path[-1].parent])
    return path[::-1]


def follow(view: ForkView, wanted: list[BlockRef]) -> tuple[ForkView, list[BlockRef], bool]:
    """Moves the view to the branch ``wanted`` (from the root). Returns it, the blocks removed, and whether finality broke."""
    shared = 0
    while shared < min(len(wanted), len(view.blocks)) and wanted[shared] == view.blocks[shared]:
        shared += 1
    if shared == len(view.blocks):
        return grow(view, wanted[shared:]), [], False
    if shared == len(wanted):
        moved, undo = rewind(view, wanted[-1])
    else:
        moved, undo = reorg(view, wanted[shared:])
    assert undo.ancestor == wanted[shared - 1]
    return moved, list(undo.removed), undo.below_final


@settings(max_examples=200, deadline=None)
@given(trees(), st.data())
def test_any_walk_over_a_tree_keeps_the_view_true(blocks: list[BlockRef], data: st.DataObject) -> None:
    tree = {block.hash: block for block in blocks}
    view = ForkView((ROOT,))
    consumer = [ROOT]  # what a reader of the log holds, told of removed and new blocks alone
    for _ in range(data.draw(st.integers(1, 12))):
        wanted = line(tree, data.draw(st.sampled_from(blocks)))
        final_before = view.final
        view, removed, broke = follow(view, wanted)
        check(view)
        assert view.blocks == tuple(wanted)
        for gone in removed:
            assert consumer.pop() == gone
        consumer += wanted[len(consumer) :]
        assert consumer == wanted
        if final_before is not None:
            assert broke == (not view.holds(final_before))
            assert view.final == (consumer[min(final_before.number, view.final.number)] if broke else final_before)
        target = data.draw(st.sampled_from(wanted))
        moved = finalize(view, target)
        assert moved.final is not None
        assert moved.final.number == max(target.number, view.final.number if view.final else 0)
        view = moved
        check(trim(view, data.draw(st.integers(1, 50))))


@given(trees(), st.data())
def test_what_does_not_connect_is_refused(blocks: list[BlockRef], data: st.DataObject) -> None:
    tree = {block.hash: block for block in blocks}
    view = ForkView(tuple(line(tree, data.draw(st.sampled_from(blocks)))))
    stray = BlockRef(data.draw(st.integers(1, 60)), b"\xff" * 32, b"\xfe" * 32)
    for change in (lambda: grow(view, [stray]), lambda: reorg(view, [stray]), lambda: rewind(view, stray)):
        try:
            change()
        except ForkError:
            continue
        raise AssertionError("a stray block was taken")


refs = st.builds(BlockRef, st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))


@given(st.builds(Cursor, st.sampled_from(Step), refs, refs, st.none() | refs))
def test_cursor_print_and_parse_are_inverse(cursor: Cursor) -> None:
    assert Cursor.parse(str(cursor)) == cursor
