"""The tree over agents: a function of the set, whose parts prove that they belong to it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.core.sync.tree import DIGITS, EMPTY, AgentTree, Node, makes

ADDRESSES = st.binary(min_size=20, max_size=20) | st.integers(0, 40).map(lambda n: bytes(19) + bytes([n]))
SETS = st.dictionaries(ADDRESSES, st.binary(min_size=32, max_size=32).filter(any), max_size=40)


@given(SETS, st.randoms(use_true_random=False))
def test_a_function_of_the_set(agents: dict[bytes, bytes], random: object) -> None:
    pairs = list(agents.items())
    random.shuffle(pairs)  # type: ignore[attr-defined]
    assert AgentTree(pairs).node() == AgentTree(agents.items()).node()


@given(SETS, ADDRESSES)
def test_on_the_way_to_an_agent_all_nodes_are_made_of_those_below(agents: dict[bytes, bytes], agent: bytes) -> None:
    tree = AgentTree(agents.items())
    for depth in range(DIGITS):
        prefix = agent.hex()[:depth]
        node, below = tree.node(prefix), tree.children(prefix)
        assert makes(node, below)
        assert node.size == sum(one.hex().startswith(prefix) for one in agents)
    assert tree.agents(agent.hex(), 2) == ([(agent, agents[agent])] if agent in agents else [])


@given(SETS.filter(bool), st.integers(0, 15))
def test_a_node_is_not_made_of_others(agents: dict[bytes, bytes], place: int) -> None:
    tree = AgentTree(agents.items())
    below = tree.children("")
    for other in (Node(b"\x01" * 32, below[place].size), Node(EMPTY, 0), Node(below[place].digest, below[place].size + 1)):
        if other != below[place]:
            assert not makes(tree.node(), [*below[:place], other, *below[place + 1 :]])


@given(SETS, ADDRESSES, st.binary(min_size=32, max_size=32).filter(any))
def test_another_digest_of_one_agent_is_another_root(agents: dict[bytes, bytes], agent: bytes, digest: bytes) -> None:
    changed = AgentTree({**agents, agent: digest}.items()).node().digest
    assert (changed == AgentTree(agents.items()).node().digest) is (agents.get(agent) == digest)
