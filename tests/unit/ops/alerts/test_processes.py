"""Reports as samples, and processes that fall silent."""

from __future__ import annotations

from streams.ops.alerts import processes
from streams.ops.alerts.processes import GONE, Processes
from streams.ops.reports import ENDED, MetricReport, MetricSample

PLACE = (("component", "worker"), ("instance", "w"))


def report(*samples: MetricSample) -> MetricReport:
    return MetricReport("worker", "w", 0, samples)


def ups(known: Processes, now: float) -> list[float]:
    return [sample.value for sample in known.ups(now) if sample.labels == PLACE]


def test_samples_that_are_wanted_carry_their_process() -> None:
    known = Processes({"a"}, 4)
    found = list(known.take(report(MetricSample("a", "GAUGE", {"l": "x"}, 2), MetricSample("b", "GAUGE", {}, 1)), 7))
    assert [(s.name, s.labels, s.at, s.value) for s in found] == [("a", (*PLACE, ("l", "x")), 7, 2)]


def test_a_process_that_falls_silent_is_down_until_it_reports_or_is_long_gone() -> None:
    known = Processes(set(), 4)
    list(known.take(report(), 0))
    assert ups(known, 0) == [1]
    assert ups(known, 0.1) == [], "once a second is enough"
    assert ups(known, 4) == [1]
    assert ups(known, 4.5) == [0], "a change is said at once"
    list(known.take(report(), 5))
    assert ups(known, 5) == [1]
    assert ups(known, 5 + GONE) == [0]
    assert ups(known, 5.1 + GONE) == []


def test_one_that_says_that_it_ends_is_not_missed() -> None:
    known = Processes(set(), 4)
    list(known.take(report(), 0))
    list(known.take(report(MetricSample(ENDED, "GAUGE", {}, 1)), 1))
    assert ups(known, 60) == []


def test_there_is_a_limit() -> None:
    known = Processes(set(), 4)
    for number in range(processes.MOST + 1):
        list(known.take(MetricReport("worker", str(number), 0), 0))
    assert len(list(known.ups(0))) == processes.MOST


def test_a_process_may_speak_of_other_components() -> None:
    known = Processes({"failed"}, 4)
    said = [MetricSample("failed", "GAUGE", {"component": name}, value) for name, value in (("memory", 1), ("node", 0))]
    found = {dict(sample.labels)["component"]: sample for sample in known.take(report(*said), 7)}
    assert {name: sample.value for name, sample in found.items()} == {"memory": 1, "node": 0}
    assert {dict(sample.labels)["instance"] for sample in found.values()} == {"w"}


def test_one_that_was_killed_is_not_missed_once_another_has_its_place() -> None:
    known = Processes(set(), 4)
    for at in range(3):
        list(known.take(MetricReport("worker", "h:1", 0), at))
        list(known.take(MetricReport("worker", "h:2", 0), at))
        list(known.take(MetricReport("worker", "other:1", 0), at))
        list(known.take(MetricReport("gateway", "h:3", 0), at))

    def down(now: float) -> set[str]:
        return {dict(sample.labels)["instance"] for sample in known.ups(now) if not sample.value}

    assert down(10) == {"h:1", "h:2", "other:1", "h:3"}
    list(known.take(MetricReport("worker", "h:4", 0, started_ms=1_500), 11))
    assert down(11.5) == {"h:1", "h:2", "other:1", "h:3"}, "it had begun before they fell silent"
    list(known.take(MetricReport("worker", "h:5", 0, started_ms=9_000), 11.6))
    assert down(13) == {"h:2", "other:1", "h:3"}, "one for one, of its host and program"
    list(known.take(MetricReport("worker", "h:1", 0), 13))
    list(known.take(MetricReport("worker", "named", 0, started_ms=12_000), 13))
    assert down(14.1) == {"h:2", "other:1", "h:3"}
