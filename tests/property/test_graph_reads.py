"""Reads of the graph while blocks come and go and the graph agent lags: what both agree on is shown, all of it and no more."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import codec
from streams import topics
from streams.agents.graph import GraphAgent
from streams.core.canonical import CanonicalView
from streams.core.graph.snapshot import Edge, Snapshot
from streams.serving.graph.events import event_of
from streams.serving.graph.reads import GraphReads, Moment, _edge
from streams.serving.graph.table import GraphTable
from tests.fakes import MemoryState, record_of
from tests.property.test_graph_agent import GENESIS, Block, block_of, transactions
from tests.serving_fakes import FakeChain, FakeGraph
from tests.steps import step_new, step_undo
from tests.unit.serving.graph.dealings import REGISTRIES

contents = st.lists(transactions(), max_size=3)


def fed(table: GraphTable, emits: Any) -> None:
    for emit in emits:
        if emit.value is None:
            table.remove(emit.key[20:])
        else:
            table.put(event_of(emit.key, codec().encode(emit.type, emit.value), REGISTRIES))


def records(block: Block) -> list[Any]:
    return [record_of(topics.TRANSACTIONS, "ChainTransaction", tx) for tx in block[1]]


def straight(blocks: list[Block], now: int) -> list[Edge]:
    """Edges by one pass over ``blocks``."""
    table, agent = GraphTable(10_000, lambda: None), GraphAgent(0, MemoryState(), 4)
    for block in blocks:
        fed(table, agent.apply(block[0], records(block)))
    return Snapshot(_edge(event, now) for source in table.sources for event in table.newest(source, lambda _: True)).edges


class Lagging:
    """A chain as the view sees it, and the graph agent some steps behind."""

    def __init__(self) -> None:
        self.chain, self.source = FakeChain(), FakeGraph()
        self.chain.view = CanonicalView(first=None)
        self.stands: list[Block] = []
        self.applied: list[Block] = []
        self._agent = GraphAgent(0, MemoryState(), 4)
        self._due: list[tuple[str, Block]] = []
        self._sequence = 0

    def grow(self, drawn: list[dict[str, Any]]) -> None:
        block = block_of(self.stands[-1][0] if self.stands else GENESIS, drawn, self._sequence)
        self.chain.view.apply(step_new(self._sequence, block[0]))
        self._sequence += 1
        self.stands.append(block)
        self._due.append(("apply", block))

    def undo(self, depth: int) -> None:
        gone = [self.stands.pop() for _ in range(min(depth, len(self.stands)))]
        if gone:
            ancestor = self.stands[-1][0] if self.stands else GENESIS
            self.chain.view.apply(step_undo(self._sequence, [ref for ref, _ in gone], ancestor))
            self._sequence += 1
            self._due += [("revert", block) for block in gone]

    def work(self, steps: int) -> None:
        """The agent does what is due next."""
        for name, block in self._due[:steps]:
            fed(self.source.table, getattr(self._agent, name)(block[0], records(block)))
            if name == "apply":
                self.applied.append(block)
            else:
                assert self.applied.pop() is block
        del self._due[:steps]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["grow", "grow", "grow", "undo", "work"]), contents, st.integers(1, 3)), max_size=14))
async def test_what_chain_and_agent_agree_on_is_all_that_shows(
    steps: list[tuple[str, list[dict[str, Any]], int]],
) -> None:
    world = Lagging()
    for name, drawn, count in steps:
        if name == "grow":
            world.grow(drawn)
        elif name == "undo":
            world.undo(count)
        else:
            world.work(2 * count)
    common = [block for block, other in zip(world.stands, world.applied, strict=False) if block is other]
    picture = await GraphReads(world.chain, world.source).ask(Moment(), lambda picture: picture)
    assert picture.graph.edges == straight(common, picture.time)
    for height in {block[0].number for block in common}:
        then = await GraphReads(world.chain, world.source).ask(Moment(block=height), lambda picture: picture)
        assert then.graph.edges == straight([block for block in common if block[0].number <= height], then.time)
