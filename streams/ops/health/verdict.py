"""From the state of each component and who needs whom to the state of the system, with its causes. Pure.

A component's own state is what was found of it. If anything that it needs has failed, it is *affected*: degraded at best, and
its own failure is a consequence. What failed or complains and is not affected is a *root*; only roots are told. A complaint
does not spread: what works, if badly, is there for others.
Invariants: every affected component names at least one root that has failed; the score is that of the components known, weighed
by how much depends on each; a verdict over nothing is healthy with score 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.ops.health.dependencies import Dependencies
from streams.ops.health.finding import Finding, Status, worst


@dataclass(frozen=True, slots=True)
class Judged:
    """One component. ``own``: what was found; ``causes``: roots that explain its state; ``because``: the same as a sentence."""

    name: str
    own: Finding
    status: Status
    score: float
    weight: float
    needs: tuple[str, ...]
    affected: bool = False
    causes: tuple[str, ...] = ()
    because: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The system. ``roots``: components that are themselves not well, worst first."""

    status: Status
    score: float
    components: Mapping[str, Judged] = field(default_factory=dict)
    roots: tuple[str, ...] = ()

    def count(self, status: Status) -> int:
        """Components in that state."""
        return sum(component.status == status for component in self.components.values())


def judge(dependencies: Dependencies, found: Mapping[str, Finding], weights: Mapping[str, float] | None = None) -> Verdict:
    """``found``: of each component that is known; others are passed through. ``weights``: instead of the criticality."""
    failed = {name for name, finding in found.items() if finding.status == "failed"}
    causes = {name: _causes(dependencies, name, failed) for name in found}
    status = {name: _status(finding, causes[name]) for name, finding in found.items()}
    judged = {
        name: Judged(
            name=name,
            own=finding,
            status=status[name],
            score=min(finding.score, 0.5) if causes[name] else finding.score,
            weight=(weights or {}).get(name, dependencies.criticality(name)),
            needs=tuple(sorted(dependencies.needs(name))),
            affected=bool(causes[name]),
            causes=causes[name],
            because=_sentence(dependencies, name, causes[name], status),
        )
        for name, finding in found.items()
    }
    roots = [one for one in judged.values() if one.own.status != "healthy" and not one.affected]
    roots.sort(key=lambda one: (one.own.score, -one.weight, one.name))
    total = sum(one.weight for one in judged.values())
    score = sum(one.weight * one.score for one in judged.values()) / total if total else 1.0
    return Verdict(worst(status.values()), score, judged, tuple(one.name for one in roots))


def _causes(dependencies: Dependencies, name: str, failed: set[str]) -> tuple[str, ...]:
    """What failed of all that it needs, and needs nothing itself that failed."""
    below = dependencies.everything(name) & failed
    return tuple(sorted(one for one in below if not dependencies.everything(one) & failed))


def _status(finding: Finding, causes: tuple[str, ...]) -> Status:
    return worst((finding.status, "degraded")) if causes else finding.status


def _sentence(dependencies: Dependencies, name: str, causes: tuple[str, ...], status: Mapping[str, Status]) -> str:
    """'gateway degraded because memory degraded because cassandra failed', for each cause; what is not known is left out."""
    ways = [[step for step in dependencies.path(name, cause) if step in status] for cause in causes]
    return "; ".join(" because ".join(f"{step} {status[step]}" for step in way) for way in ways)
