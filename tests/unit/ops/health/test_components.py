"""From reports to components: who speaks for what, who counts, and who is missed."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streams.ops.health.components import Seen, components, spoken
from streams.ops.health.finding import Finding
from streams.ops.reports import HealthPart, HealthReport

THINGS = {"disk", "cassandra"}
WELL, BAD = Finding("healthy"), Finding("failed", "stopped")


def seen(component: str, instance: str, age: float, *parts: HealthPart) -> Seen:
    return Seen(HealthReport(component, instance, 0, "healthy", 1.0, parts), age)


def part(name: str, status: str = "healthy", detail: str = "") -> HealthPart:
    return HealthPart(name, status, {"healthy": 1.0, "degraded": 0.5, "failed": 0.0}[status], detail)  # type: ignore[arg-type]


def found(
    *processes: Seen,
    own: dict[str, Finding] | None = None,
    groups: dict[str, Finding] | None = None,
    ages: dict[str, float] | None = None,
) -> dict[str, Finding]:
    return components(own or {}, processes, groups or {}, ttl=5, ages=(ages or {}) | spoken(processes, THINGS))


def test_a_worker_speaks_for_its_stream_agents_and_what_it_looks_at_and_not_for_itself() -> None:
    said = found(seen("worker", "a", 1, part("liveness"), part("readiness"), part("memory"), part("disk")))
    assert set(said) == {"memory", "disk"}


def test_another_program_is_a_component_by_its_liveness_and_readiness() -> None:
    said = found(seen("producer", "a", 1, part("liveness"), part("readiness", "degraded", "waits"), part("node", "failed")))
    assert (said["producer"].status, said["producer"].detail, said["node"].status) == (
        "degraded",
        "producer a: waits",
        "failed",
    )


def test_the_worst_of_those_who_live_counts_and_is_named() -> None:
    well, bad = part("memory"), part("memory", "degraded", "its store is slow")
    both = found(seen("worker", "a", 1, well), seen("worker", "b", 1, bad))
    assert (both["memory"].status, both["memory"].detail) == ("degraded", "worker b: its store is slow")
    assert found(seen("worker", "a", 1, well), seen("worker", "b", 6, bad))["memory"].status == "healthy"


def test_a_program_of_which_nobody_alive_speaks_has_failed_and_a_thing_is_not_known() -> None:
    said = found(seen("worker", "a", 9, part("memory"), part("disk")), seen("producer", "p", 7))
    assert set(said) == {"memory", "producer"}
    assert said["memory"].detail == "nobody reports it; the last one fell silent 9 s ago"
    assert {finding.status for finding in said.values()} == {"failed"}


def test_who_said_that_it_ends_counts_no_more_and_is_not_missed() -> None:
    ended = replace(seen("worker", "a", 1, part("memory"), part("disk", "failed")), ended=True)
    assert found(ended) == {}
    assert found(ended, seen("worker", "b", 1, part("memory")))["memory"].status == "healthy"
    assert found(ended, seen("worker", "b", 9, part("memory")))["memory"].status == "failed"


def test_who_is_expected_and_never_came_has_failed_and_others_are_not_known() -> None:
    assert found() == {}
    assert found(ages={"memory": math.inf})["memory"].detail == "nobody reports it"


def test_a_group_that_stopped_fails_its_stream_agent_however_well_the_worker_says_it_is() -> None:
    said = found(seen("worker", "a", 1, part("memory")), groups={"memory": BAD, "graph": WELL})
    assert (said["memory"].status, said["graph"].status) == ("failed", "healthy")


def test_what_the_reader_finds_itself_counts_beside_what_others_say() -> None:
    said = found(seen("worker", "a", 1, part("cassandra", "failed", "away")), own={"cassandra": WELL})
    assert said["cassandra"].status == "failed"


@given(st.lists(st.tuples(st.sampled_from(["memory", "disk"]), st.sampled_from(["healthy", "failed"]), st.floats(0, 20))))
def test_who_fell_silent_can_only_be_missed(rows: list[tuple[str, str, float]]) -> None:
    processes = [seen("worker", str(at), age, part(name, status)) for at, (name, status, age) in enumerate(rows)]
    said = found(*processes)
    for name in ("memory", "disk"):
        alive = [status for thing, status, age in rows if thing == name and age <= 5]
        if alive:
            assert said[name].status == ("failed" if "failed" in alive else "healthy")
        else:
            known = name == "memory" and any(thing == name for thing, _, _ in rows)
            assert (name in said) == known
