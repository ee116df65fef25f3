"""What is counted and evicted depends on the facts that stand and on what is final, never on how it came to that."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.records import MemoryFact
from streams.agents.memory_facts import eviction
from streams.agents.memory_rows import MemoryRows
from streams.agents.quota import Quota
from tests.fakes import MemoryState
from tests.unit.stores.facts import ALICE, BOB, block, delete, upsert

LIMIT = 2
Move = tuple[str, int, MemoryFact | None]


@st.composite
def facts(draw: st.DrawFn) -> MemoryFact:
    """Facts over few memories and blocks; a memory is a function of its id, and of one block or of a command, as ids are."""
    n, agent = draw(st.integers(0, 5)), draw(st.sampled_from([ALICE, BOB]))
    match draw(st.integers(0, 3)):
        case 0:
            return eviction(agent, upsert(n)["memory_id"])
        case 1:
            return delete(n, agent, draw(st.sampled_from([None, block(1), block(2), block(3)])))
        case _:
            return upsert(n, agent, block(n) if n % 2 else None, importance=n % 3 / 3, timestamp=n // 2)


moves = st.lists(
    st.tuples(st.sampled_from(["apply", "apply", "apply", "revert", "final"]), st.integers(0, 4), facts()), max_size=16
)


def number_of(fact: MemoryFact) -> int:
    return fact["block"]["number"] if fact["block"] else -1


class World:
    def __init__(self) -> None:
        self.state = MemoryState()
        self.quota = Quota(self.state, LIMIT)
        self.rows = MemoryRows(self.state, self.quota)

    def final(self, number: int) -> None:
        self.quota.finalize(number)
        self.rows.settle()


@given(moves, st.data())
def test_the_way_does_not_matter(steps: list[Move], data: st.DataObject) -> None:
    world, standing, final = World(), [], -1
    for kind, number, fact in steps:
        assert fact is not None
        if kind == "final":
            final = max(final, number)
            world.final(number)
        elif kind == "apply":
            standing += [fact] if fact not in standing else []
            world.rows.apply(fact)
        elif number_of(fact) > final:
            standing = [one for one in standing if one != fact]
            world.rows.revert(fact)
    plain = World()
    if final >= 0:
        plain.final(final)
    for fact in data.draw(st.permutations(standing)):
        plain.rows.apply(fact)
    assert world.state.content == plain.state.content
    assert list(world.quota.excess()) == list(plain.quota.excess())


@given(moves)
def test_after_what_is_asked_no_agent_has_too_many(steps: list[Move]) -> None:
    world = World()
    for _, _, fact in steps:
        assert fact is not None
        world.rows.apply(fact)
    world.final(9)
    for owner, memory_id in list(world.quota.excess()):
        assert world.rows.live(owner, memory_id) is not None
        world.rows.apply(eviction(owner, memory_id))
    assert list(world.quota.excess()) == []
    assert all(world.quota.count(owner) <= LIMIT for owner in (ALICE, BOB))
