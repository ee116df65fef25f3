"""Who needs whom: closures, ways, weights, and circles refused."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import ConfigurationError
from streams.ops.health.dependencies import Dependencies

CHAIN = Dependencies({"gateway": ["memory", "broker"], "memory": ["store", "broker"], "bridge": ["memory"]})


def test_what_is_needed_through_others_is_needed() -> None:
    assert CHAIN.needs("gateway") == {"memory", "broker"}
    assert CHAIN.everything("gateway") == {"memory", "broker", "store"}
    assert CHAIN.dependents("store") == {"memory", "gateway", "bridge"}
    assert CHAIN.needs("nobody") == CHAIN.everything("nobody") == frozenset()


def test_the_way_is_the_shortest() -> None:
    assert CHAIN.path("gateway", "store") == ("gateway", "memory", "store")
    assert CHAIN.path("gateway", "broker") == ("gateway", "broker")
    assert CHAIN.path("store", "gateway") == ()


def test_more_stands_or_falls_with_what_more_need() -> None:
    assert [CHAIN.criticality(name) for name in ("gateway", "bridge", "memory", "store", "broker")] == [1, 1, 3, 4, 4]


@pytest.mark.parametrize(
    "needs", [{"a": ["a"]}, {"a": ["b"], "b": ["a"]}, {"a": ["b"], "b": ["c"], "c": ["d"], "d": ["b"], "e": ["a"]}]
)
def test_a_circle_is_refused_and_named(needs: dict[str, list[str]]) -> None:
    with pytest.raises(ConfigurationError, match=r"in a circle: (\w) needs .*\1\n"):
        Dependencies(needs)


def test_an_operator_may_say_otherwise_but_not_in_circles() -> None:
    assert CHAIN.overridden({"gateway": ["broker"]}).everything("gateway") == {"broker"}
    assert CHAIN.overridden({"new": ["gateway"]}).everything("new") == {"gateway", "memory", "broker", "store"}
    with pytest.raises(ConfigurationError, match="circle"):
        CHAIN.overridden({"store": ["gateway"]})


@st.composite
def graphs(draw: st.DrawFn) -> Dependencies:
    names = [f"n{at}" for at in range(draw(st.integers(1, 8)))]
    return Dependencies({name: draw(st.sets(st.sampled_from(names[:at]))) if at else () for at, name in enumerate(names)})


@given(graphs())
def test_each_stands_behind_what_it_needs_and_dependents_are_the_inverse(graph: Dependencies) -> None:
    for at, name in enumerate(graph.order):
        assert graph.everything(name) <= set(graph.order[:at])
        for other in graph.order:
            assert (other in graph.dependents(name)) == (name in graph.everything(other))
            way = graph.path(name, other)
            assert bool(way) == (other == name or other in graph.everything(name))
            assert all(later in graph.needs(earlier) for earlier, later in pairwise(way))
