"""Laws of the lattice hash: a homomorphism from multisets under union to states under addition."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.core.lthash import ZERO, LtHash, merge, sum_elements, sum_groups

preimages = st.lists(st.binary(max_size=40), max_size=80)


@given(preimages, st.randoms(use_true_random=False))
def test_order_does_not_matter(items: list[bytes], random: st.DrawFn) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)
    assert bytes(sum_elements(shuffled)) == bytes(sum_elements(items))


@given(preimages, st.data())
def test_any_partitioning_gives_the_same_bytes(items: list[bytes], data: st.DataObject) -> None:
    homes = data.draw(st.lists(st.integers(0, 4), min_size=len(items), max_size=len(items)))
    parts = [sum_elements([item for item, at in zip(items, homes, strict=True) if at == home]) for home in range(5)]
    assert bytes(merge(parts)) == bytes(sum_elements(items))
    assert bytes(merge(reversed(parts))) == bytes(sum_elements(items))


@given(preimages, preimages)
def test_subtraction_takes_back_addition(items: list[bytes], more: list[bytes]) -> None:
    state = sum_elements(items)
    assert bytes(state + sum_elements(more) - sum_elements(more)) == bytes(state)
    assert state - state == ZERO
    assert sum_elements(items + more) - sum_elements(items) == sum_elements(more)


@given(preimages)
def test_wire_form_is_the_state(items: list[bytes]) -> None:
    state = sum_elements(items)
    assert LtHash.of(bytes(state)) == state
    assert LtHash.of(bytes(state)).checksum() == state.checksum()


@given(st.sets(st.binary(max_size=8), min_size=1, max_size=20), st.binary(max_size=8))
def test_another_member_is_another_state(items: set[bytes], other: bytes) -> None:
    without = sorted(items - {other})
    assert sum_elements([*without, other]) != sum_elements(without)


@given(st.lists(st.lists(st.binary(max_size=8), max_size=70), max_size=5))
def test_groups_are_summed_one_by_one(groups: list[list[bytes]]) -> None:
    assert sum_groups(groups) == [sum_elements(group) for group in groups]
