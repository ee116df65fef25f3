"""Rules held against samples."""

from __future__ import annotations

from streams.ops.alerts.judge import Judge
from streams.ops.alerts.rules import rules_of
from streams.ops.alerts.series import Sample

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
