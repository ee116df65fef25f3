"""Rules held against samples."""

from __future__ import annotations

import pytest

from streams.metrics import REGISTRY
from streams.ops.alerts import life, series
from streams.ops.alerts.defaults import default_rules
from streams.ops.alerts.judge import Judge
from streams.ops.alerts.life import Event
from streams.ops.alerts.metrics import decided
from streams.ops.alerts.rules import rules_of
from streams.ops.alerts.series import STALE, Sample

RULES = """
[[rule]]
name = "Slow"
condition = "p95(took_ms[60s]) > 5 and sum(rate(asked_total[60s])) > 0"
[[rule]]
name = "Broken"
condition = "increase(broken_total[60s]) > 0"
[[rule]]
name = "Off"
condition = "other > 1"
enabled = false
"""


def test_it_wants_what_its_rules_read_and_no_more() -> None:
    assert Judge(rules_of(RULES, "here"), 1).wanted == {
        "monmouth_took_ms_bucket",
        "monmouth_asked_total",
        "monmouth_broken_total",
    }


def test_a_restart_of_the_process_hides_no_increase() -> None:
    judge = Judge(rules_of(RULES, "here"), 1)
    for at, value in enumerate([7.0, 7.0, 0.0]):
        judge.take([Sample("monmouth_broken_total", (), at, value)])
        assert judge.step(at) == []
    judge.take([Sample("monmouth_broken_total", (), 3, 1.0)])
    (event,) = judge.step(3)
    assert (event.rule.name, event.value) == ("Broken", 1.0)


MUTING = """
[[rule]]
name = "Mild"
condition = "level > 5"
cooldown = "0s"
[[rule]]
name = "Whole"
condition = "sum(level) > 5"
cooldown = "0s"
[[rule]]
name = "Down"
condition = "target_up < 1"
cooldown = "0s"
mutes = ["*"]
"""


def test_an_alert_that_is_muted_is_told_once_it_is_not_and_still_holds() -> None:
    judge = Judge(rules_of(MUTING, "here"), 1)
    one, other = (("target", "a"),), (("target", "b"),)

    def step(at: float, up: float, level: float) -> list[tuple[str, str]]:
        judge.take([Sample("monmouth_target_up", one, at, up), Sample("monmouth_level", one, at, level)])
        judge.take([Sample("monmouth_level", other, at, 0.0)])
        return [(event.rule.name, event.state) for event in judge.step(at)]

    assert step(0, 0, 9) == [("Down", "firing"), ("Whole", "firing")], "of the same process, not of the whole"
    assert step(1, 0, 9) == []
    assert step(2, 1, 9) == [("Down", "resolved"), ("Mild", "firing")]
    assert step(3, 0, 9) == [("Down", "firing")], "what was told before stays told"
    assert step(4, 0, 0) == [("Mild", "resolved"), ("Whole", "resolved")]
    assert step(5, 0, 9)[-1] == ("Whole", "firing")
    assert ("Mild", "firing") not in step(6, 0, 9)


def test_other_processes_are_not_muted() -> None:
    judge = Judge(rules_of(MUTING, "here"), 1)
    judge.take([Sample("monmouth_target_up", (("target", "a"),), 0, 0.0), Sample("monmouth_level", (("target", "b"),), 0, 9.0)])
    assert {event.rule.name for event in judge.step(0)} == {"Down", "Mild", "Whole"}


def test_a_cause_mutes_its_consequence_of_the_same_process() -> None:
    judge = Judge(default_rules(), 1)
    gateway = (("component", "gateway"), ("instance", "g"))
    found = []
    for at in range(8):
        judge.take(
            [
                Sample("monmouth_component_failed", (("component", "memory"), ("instance", "g")), at, 1.0),
                Sample("monmouth_component_failed", (("component", "node"), ("instance", "g")), at, 0.0),
                Sample("monmouth_system_health_score", gateway, at, 0.5),
            ]
        )
        found += judge.step(at)
    assert [(event.rule.name, dict(event.labels)["component"]) for event in found] == [("ComponentFailed", "memory")]


def waiting(at: float, seconds: float, instance: str = "w") -> list[Sample]:
    """What a worker says that holds eight partitions of each of two stream agents."""
    return [
        Sample(
            "monmouth_runtime_seconds_behind",
            (("agent", agent), ("component", "worker"), ("instance", instance), ("partition", str(number))),
            at,
            seconds + number,
        )
        for agent in ("intent", "memory")
        for number in range(8)
    ]


def test_partitions_that_wait_are_told_once_for_each_stream_agent() -> None:
    judge, found = Judge(default_rules(), 1), list[Event]()
    for at in range(60):
        judge.take(waiting(at, 40, "before" if at < 20 else "after"))
        found += judge.step(at)
    assert [(event.state, dict(event.labels), event.value) for event in found] == [
        ("firing", {"agent": "intent"}, 47.0),
        ("firing", {"agent": "memory"}, 47.0),
    ]


def test_what_is_no_longer_measured_did_not_get_better() -> None:
    judge = Judge(default_rules(), 1)
    for at in range(31):
        judge.take(waiting(at, 40))
        judge.step(at)
    assert judge.step(30 + STALE) == []
    first, second = judge.step(31 + STALE)
    assert (first.state, first.gone, second.gone, first.value) == ("resolved", True, True, 47.0)
    assert first.summary.startswith("[gone] warning FallingBehind (agent=intent)")
    assert "no longer measured" in first.summary


def test_what_is_measured_and_well_did_get_better() -> None:
    judge = Judge(default_rules(), 1)
    for at in range(31):
        judge.take(waiting(at, 40))
        judge.step(at)
    judge.take(waiting(31, 0))
    events = judge.step(31)
    assert [(event.state, event.gone) for event in events] == [("resolved", False)] * 2
    assert events[0].summary.startswith("[resolved]")


def test_a_percentile_that_is_measured_is_not_gone() -> None:
    judge = Judge(default_rules(), 1)
    bounds = ("50.0", "100.0", "500.0", "+Inf")
    found = list[Event]()
    for at in range(100):
        slow = float(min(at, 10))
        values = (0.0, 0.0, slow, slow)
        judge.take(
            Sample("monmouth_rag_query_latency_ms_bucket", (("le", bound),), at, value)
            for bound, value in zip(bounds, values, strict=True)
        )
        found += judge.step(at)
    assert [(event.state, event.gone) for event in found] == [("firing", False), ("resolved", False)]


def test_a_watch_that_takes_over_tells_what_is_gone_from_what_got_better() -> None:
    judge = Judge(default_rules(), 1)
    judge.take(sample for sample in waiting(0, 0) if ("agent", "memory") in sample.labels)
    judge.step(0)
    told = {("FallingBehind", (("agent", agent),)): 50.0 for agent in ("intent", "memory")}
    assert {event.labels[0][1]: event.gone for event in judge.recover(told, 0)} == {"intent": True, "memory": False}


def refusals(what: str) -> float:
    return REGISTRY.get_sample_value("monmouth_alerts_refused_total", {"what": what}) or 0.0


def test_what_there_is_no_room_for_is_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life, "MOST_ALERTS", 2)
    judge = Judge(rules_of(MUTING, "here"), 1)
    judge._series = series.Series(60, limit=3)
    before = refusals("alert"), refusals("sample")
    judge.take(Sample("monmouth_level", (("instance", str(number)),), 0, 9.0) for number in range(5))
    decided(judge.step(0), judge.firing(), judge.refused())
    assert (refusals("alert"), refusals("sample")) == (before[0] + 2, before[1] + 2), "of Mild two of three, and Whole"
    decided([], judge.firing(), judge.refused())
    assert (refusals("alert"), refusals("sample")) == (before[0] + 2, before[1] + 2), "each once"
