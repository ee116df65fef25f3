"""Slots, the live chain they hold, and positions."""

from __future__ import annotations

import pytest

from streams.core.block import BlockRef
from streams.core.chain import LiveBlock, LiveChain
from streams.core.checkpoint import HISTORY, NOWHERE, TIP, Checkpoint, SlotPolicy, history_before, history_slot, slot_key
from streams.core.position import Standing, beginning, can_reach, stand
from streams.core.undo import Unplannable, plan_undo
from streams.errors import PositionLostError
from tests.samples import SAMPLES

POLICY = SlotPolicy(window=2, blocks=5, seconds=60)


def ref(number: int, fork: int = 0) -> BlockRef:
    mark = bytes([fork]) * 16
    return BlockRef(number, mark + number.to_bytes(16, "big"), mark + (number - 1).to_bytes(16, "big"))


def live(number: int, sequence: int, fork: int = 0, *, time: int | None = None, parent: int | None = None) -> LiveBlock:
    return LiveBlock(ref(number, fork), sequence, 10 * sequence, 10 * sequence + 5, 3, b"d" * 32, None, time, parent)


def checkpoint(slot: str, at: LiveBlock, **offsets: int) -> Checkpoint:
    return Checkpoint("a", 0, slot, "chain.transactions", at, offsets)


def test_record_round_trip() -> None:
    sample = SAMPLES["Checkpoint"]
    assert Checkpoint.of(sample).record() == sample
    assert Checkpoint.of(sample).key == b"memory/1/17"
    assert slot_key("a", 1, "") == b"a/1/"


def test_slots() -> None:
    assert POLICY.slots(live(11, 1), None) == ("3",)
    assert POLICY.slots(live(10, 1), None) == ("2", "hb1.0")
    assert POLICY.slots(live(10, 1), ref(10)) == ("hb1.0",)
    assert POLICY.slots(live(11, 1), ref(12)) == ()


@pytest.mark.parametrize(
    ("time", "parent", "slots"),
    [
        (119, 60, ()),
        (120, 119, ("ht1.0",)),
        (180, 120, ("ht0.1",)),
        (299, 119, ("ht2.0",)),  # behind 120, 180 and 240, of which 240 = 4 x 60 is the roundest
        (60 * 1027, 60 * 3, ("ht10.0",)),
        (60, 60, ()),
        (59, 120, ()),  # a clock that went back
        (200, None, ("ht0.1",)),  # the first block of the log
        (None, None, ()),  # a checkpoint of a version that kept no time
    ],
)
def test_slots_of_time(time: int | None, parent: int | None, slots: tuple[str, ...]) -> None:
    assert POLICY.slots(live(11, 1, time=time, parent=parent), ref(12)) == slots


def test_history_slots_of_a_long_chain_are_few_and_near() -> None:
    held: dict[str, int] = {}
    for index in range(100_001):
        held[history_slot("b", index)] = index
    assert len(held) <= HISTORY * 17
    for index in range(1, 100_001, 97):
        below = max((other for other in held.values() if other < index), default=0)
        assert 4 * (index - below) <= (100_000 - index) + 8


def test_the_time_of_the_tip_follows_undos_also_to_a_block_that_is_not_known() -> None:
    chain = LiveChain(8, time=100)
    for number in (10, 11, 12):
        chain.push(live(number, number, time=12 * number, parent=chain.time))
    assert chain.time == 144
    chain.drop(2, ref(10))
    assert chain.time == 120
    chain.drop(1, ref(9))
    assert (len(chain), chain.time) == (0, 100)
    chain.drop(1, ref(8))
    assert chain.time is None


def test_an_older_occurrence_in_a_slot_is_not_taken_for_a_parent() -> None:
    slots = {"3": checkpoint("3", live(11, 7)), "4": checkpoint("4", live(12, 5)), TIP: checkpoint(TIP, live(12, 8))}
    assert len(POLICY.chain(slots)) == 1  # 11 was written after this occurrence of 12, so 12 is not the one that stands
    assert POLICY.chain(slots).head == ref(12)


def test_freed_slots_and_other_branches_are_ignored() -> None:
    slots = {
        "2": checkpoint("2", live(10, 4)),
        "3": checkpoint("3", live(11, 5)).freed(),
        "4": checkpoint("4", live(12, 6, fork=1)),
        TIP: checkpoint(TIP, live(11, 7)),
    }
    assert len(POLICY.chain(slots)) == 0
    slots[TIP] = checkpoint(TIP, live(10, 7))
    assert [b.block.number for b in POLICY.chain(slots).newest(9)] == [10]
    slots[TIP] = checkpoint(TIP, LiveBlock(NOWHERE, -1, 0, 0, 0, bytes(32)))
    assert POLICY.chain(slots).head is None


def test_history() -> None:
    slots = {f"h{n}": checkpoint(f"h{n}", live(5 * n, n)) for n in range(1, 5)} | {"3": checkpoint("3", live(11, 9))}
    found = history_before(slots, 15, 1 << 40)
    assert found is not None
    assert found.at.block.number == 10
    slots["h2"] = slots["h2"].freed()
    found = history_before(slots, 15, 1 << 40)
    assert found is not None
    assert found.at.block.number == 5
    assert history_before(slots, 5, 1 << 40) is None


def test_history_behind_a_fold_that_does_old_work_again_is_not_used() -> None:
    slots = {f"h{n}": checkpoint(f"h{n}", live(5 * n, n)) for n in range(1, 5)}
    marker = slots["h2"].at.marker
    found = history_before(slots, 15, marker + 1)
    assert found is not None
    assert found.at.block.number == 10
    found = history_before(slots, 15, marker)
    assert found is not None
    assert found.at.block.number == 5
    assert history_before(slots, 15, 0) is None


def test_no_plan_where_the_chain_is_too_short_or_another() -> None:
    chain = LiveChain(8, blocks=[live(n, n) for n in (10, 11, 12)])
    assert isinstance(plan_undo(chain, [ref(12), ref(11), ref(10), ref(9)], ref(8)), Unplannable)
    assert isinstance(plan_undo(chain, [ref(12), ref(11, fork=1)], ref(10)), Unplannable)
    assert not isinstance(plan_undo(chain, [ref(12), ref(11), ref(10)], ref(9)), Unplannable)


def test_the_live_chain_refuses_a_block_that_does_not_follow() -> None:
    chain = LiveChain(8, blocks=[live(10, 1)])
    with pytest.raises(ValueError, match="does not follow"):
        chain.push(live(12, 2))


BOUNDS = {"m": (0, 100), "c": (0, 10)}


def test_nothing_committed_begins_at_the_beginning() -> None:
    assert stand("m", {"m": None, "c": None}, BOUNDS, None) == Standing({"m": 0, "c": 0}, first=0)
    assert beginning({"m": 0}) == Standing({"m": 0}, first=0)


def test_committed_offsets_count_and_the_tip_names_them() -> None:
    tip = checkpoint(TIP, live(7, 9), m=50, c=3)
    assert stand("m", {"m": 50, "c": 3}, BOUNDS, tip) == Standing({"m": 50, "c": 3}, 9, ref(7))
    assert stand("m", {"m": 40, "c": 3}, BOUNDS, tip) == Standing({"m": 40, "c": 3})  # set from outside
    assert stand("m", {"m": 0, "c": 3}, BOUNDS, tip) == Standing({"m": 0, "c": 3}, first=0)


def test_expired_commits_fall_back_on_the_checkpoint() -> None:
    tip = checkpoint(TIP, live(7, 9), m=50, c=3)
    assert stand("m", {"m": None, "c": None}, BOUNDS, tip) == Standing({"m": 50, "c": 3}, 9, ref(7))


@pytest.mark.parametrize(
    ("committed", "bounds", "gap"),
    [
        ({"m": 5, "c": 0}, {"m": (9, 100), "c": (0, 10)}, "m: offsets 5 to 8 "),
        ({"m": None, "c": 0}, {"m": (9, 100), "c": (0, 10)}, "m: offsets 0 to 8 "),
        ({"m": 5, "c": 11}, BOUNDS, "c: position 11 lies behind the end of the log, 10"),
    ],
)
def test_lost_positions_are_named(committed: dict[str, int | None], bounds: dict[str, tuple[int, int]], gap: str) -> None:
    with pytest.raises(PositionLostError, match=gap):
        stand("m", committed, bounds, None)


def test_state_cannot_be_rebuilt_from_a_log_without_its_beginning() -> None:
    with pytest.raises(PositionLostError, match="m: offsets 0 to 3 are needed"):
        beginning({"c": 0, "m": 4})


def test_can_reach() -> None:
    assert can_reach({"m": 3, "c": 1}, {"m": 3, "c": 2})
    assert not can_reach({"m": 4, "c": 1}, {"m": 3, "c": 2})
    assert not can_reach({"m": 3}, {"m": 3, "c": 2})
