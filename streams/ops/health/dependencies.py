"""Who needs whom: a graph of components without cycles. Pure.

Invariant: a graph that exists has no cycle; a component needs nothing that is not in the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter

from streams.errors import ConfigurationError


class Dependencies:
    """``needs``: what each component needs. Whatever is named anywhere is a component."""

    def __init__(self, needs: Mapping[str, Iterable[str]]) -> None:
        """Raises ConfigurationError for a cycle, and names it."""
        found = {name: frozenset(needed) for name, needed in needs.items()}
        for needed in list(found.values()):
            for name in needed:
                found.setdefault(name, frozenset())
        try:
            order = tuple(TopologicalSorter(found).static_order())
        except CycleError as error:
            path = " needs ".join(reversed(error.args[1]))
            raise ConfigurationError(f"components need each other in a circle: {path}", "Mend health.needs.") from None
        self._needs = found
        self.order = order
        """All components, each behind what it needs."""
        self._everything: dict[str, frozenset[str]] = {}
        for name in order:
            self._everything[name] = found[name].union(*(self._everything[needed] for needed in found[name]))

    def needs(self, name: str) -> frozenset[str]:
        """What ``name`` needs at once; nothing if it is not known."""
        return self._needs.get(name, frozenset())

    def everything(self, name: str) -> frozenset[str]:
        """What ``name`` needs, at once or through others."""
        return self._everything.get(name, frozenset())

    def dependents(self, name: str) -> frozenset[str]:
        """Who needs ``name``, at once or through others."""
        return frozenset(other for other in self.order if name in self.everything(other))

    def criticality(self, name: str) -> float:
        """How many components stand or fall with it, itself among them."""
        return 1.0 + len(self.dependents(name))

    def overridden(self, needs: Mapping[str, Iterable[str]]) -> Dependencies:
        """The same with what ``needs`` says of some components put in place of what stands. Raises ConfigurationError."""
        return Dependencies({**self._needs, **needs})

    def path(self, start: str, goal: str) -> tuple[str, ...]:
        """The shortest way from a component to one that it needs, both included; empty if there is none."""
        ways: list[tuple[str, ...]] = [(start,)]
        seen = {start}
        for way in ways:
            if way[-1] == goal:
                return way
            for name in sorted(self.needs(way[-1]) - seen):
                seen.add(name)
                ways.append((*way, name))
        return ()
