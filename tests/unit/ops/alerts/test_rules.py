"""Rules files: what they hold, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import ConfigurationError
from streams.ops.alerts.defaults import default_rules
from streams.ops.alerts.promql import rule_group
from streams.ops.alerts.rules import load_rules, longest_window, rules_of

GOOD = """
[[rule]]
name = "Slow"
description = "Too slow"
condition = "latency_p95_ms > 100"
severity = "critical"
evaluation_window = "5m"
for = "30s"
cooldown = "10m"
channels = ["log", "pager", "log"]
"""


def test_a_rule_is_what_the_file_says() -> None:
    (rule,) = rules_of(GOOD, "here")
    assert (rule.name, rule.severity, rule.hold, rule.cooldown, rule.channels) == (
        "Slow",
        "critical",
        30,
        600,
        ("log", "pager"),
    )
    assert longest_window([rule]) == 300


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "is not TOML"),
        ("[other]\n", "holds more than"),
        ("rule = 1\n", "holds more than"),
        ('[[rule]]\nname = "A"\n', "rule 1: condition"),
        ('[[rule]]\nname = "A b"\ncondition = "a > 1"\n', "rule 1: name"),
        ('[[rule]]\nname = "A"\ncondition = "a >"\n', "rule 1: the expression"),
        ('[[rule]]\nname = "A"\ncondition = "a > 1"\nseverity = "bad"\n', "severity"),
        ('[[rule]]\nname = "A"\ncondition = "a > 1"\nfor = "soon"\n', "no duration"),
        ('[[rule]]\nname = "A"\ncondition = "a > 1"\ncolour = "red"\n', "colour"),
        ('[[rule]]\nname = "A"\ncondition = "a > 1"\nchannels = []\n', "channels"),
        ('[[rule]]\nname = "A"\ncondition = "a > 1"\n' * 2, "two rules called A"),
    ],
)
def test_what_is_wrong_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        rules_of(text, "here")
    assert said in refused.value.message
    assert "here" in refused.value.message


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        load_rules(tmp_path / "none.toml")


def test_the_default_rules_stand_and_have_a_counterpart_in_prometheus() -> None:
    rules = default_rules()
    group = rule_group(rules, 5)["groups"][0]
    assert [rule["alert"] for rule in group["rules"]] == [rule.name for rule in rules]
    assert {"HighLatency", "SystemHealthDegraded", "HighErrorRate", "TargetDown"} <= {rule.name for rule in rules}
    assert all(rule["annotations"]["description"] for rule in group["rules"])
