"""Each rule fires in Prometheus where it fires in the watch: `promtool` and the watch judge the same samples.

What differs by design is not in the table: the watch takes a silent series for ended after 30 s, Prometheus after 5 minutes or
a scrape that failed; and Prometheus extrapolates an increase to the whole range, which moves a number but no rule against zero.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streams.ops.alerts.defaults import default_rules
from streams.ops.alerts.expression import PREFIX
from streams.ops.alerts.judge import Judge
from streams.ops.alerts.promql import rule_group
from streams.ops.alerts.rules import AlertRule, rules_of
from streams.ops.alerts.series import UP, Labels, Sample
from tests.monitoring import program

STEP = 5
"""Seconds between two samples, and between two looks."""
LONG = 36
"""Samples of a case: three minutes."""
JOB = {"job": "monmouth", "instance": "a:1"}


@dataclass(frozen=True)
class Case:
    """``series``: from name and labels to values, of which the last goes on. ``fires``: somewhere in the three minutes."""

    rule: str
    series: dict[str, list[float]]
    fires: bool = True


def steps(*values: float) -> list[float]:
    return [*values, *[values[-1]] * (LONG - len(values))]


def grow(each: float, begin: int = 0, start: float = 0) -> list[float]:
    return [start + each * max(0, at - begin) for at in range(LONG)]


def answers(good: list[float], bad: list[float]) -> dict[str, list[float]]:
    name = "monmouth_http_request_latency_ms_count"
    return {f'{name}{{status="200"}}': good, f'{name}{{status="503"}}': bad}


def latency(fast: float, slow: float) -> dict[str, list[float]]:
    name = "monmouth_rag_query_latency_ms_bucket"
    return {
        f'{name}{{le="50.0"}}': grow(fast),
        f'{name}{{le="100.0"}}': grow(fast),
        f'{name}{{le="500.0"}}': grow(fast + slow),
        f'{name}{{le="+Inf"}}': grow(fast + slow),
    }


def burst(looks: int) -> dict[str, list[float]]:
    """Slow answers at first, then fast ones alone, and many."""
    slow = [2.0 * min(at, looks) for at in range(LONG)]
    return {
        name: [
            value * (1 if at <= looks else 10) + (0 if "100.0" in name or "50.0" in name else slow[at])
            for at, value in enumerate(values)
        ]
        for name, values in latency(8, 0).items()
    }


CASES = [
    Case("TargetDown", {"up": steps(1, 1, 1, 0)}),
    Case("TargetDown", {"up": steps(1)}, fires=False),
    Case("HighLatency", latency(8, 2)),
    Case("HighLatency", latency(99, 1), fires=False),
    Case("HighLatency", latency(0, 0), fires=False),
    Case("LatencyStaysHigh", latency(8, 2)),
    Case("LatencyStaysHigh", latency(99, 1), fires=False),
    Case("LatencyStaysHigh", burst(looks=4), fires=False),
    Case("ComponentFailed", {'monmouth_component_failed{component="cassandra"}': steps(0, 1, 1)}),
    Case("ComponentFailed", {'monmouth_component_failed{component="cassandra"}': steps(0, 1, 0)}, fires=False),
    Case("SystemHealthDegraded", {"monmouth_system_health_score": steps(1, 1, 0.5)}),
    Case("SystemHealthDegraded", {"monmouth_system_health_score": steps(1, 0.5, 1)}, fires=False),
    Case("SystemHealthDegraded", {"monmouth_system_health_score": steps(0.8)}, fires=False),
    Case("HighErrorRate", answers(grow(8), grow(2))),
    Case("HighErrorRate", answers(grow(95), grow(5)), fires=False),
    Case("HighErrorRate", answers(grow(0), grow(0)), fires=False),
    Case("HighErrorRate", answers(steps(0, 1, 2, 3), steps(0, 0, 0, 1)), fires=False),
    Case("HighErrorRate", answers([*grow(8)[:5], *grow(8)[:31]], [*grow(2)[:5], *grow(2)[:31]])),
    Case("ErrorRateCritical", answers(grow(94), grow(6))),
    Case("ErrorRateCritical", answers(grow(96), grow(4)), fires=False),
    Case("ErrorRateCritical", answers(steps(0, 1, 2, 3), steps(0, 0, 0, 1)), fires=False),
    Case("AvailabilityLow", answers(grow(98), grow(2))),
    Case("AvailabilityLow", answers(grow(995), grow(5)), fires=False),
    Case("AvailabilityLow", answers(steps(0, 1, 2, 3), steps(0, 0, 0, 1)), fires=False),
    Case("AvailabilityLow", answers(steps(0), steps(0, 2, 4, 5))),
    Case("SloBurnFast", {'monmouth_slo_burn{objective="latency",speed="fast"}': steps(0, 1.1)}),
    Case("SloBurnFast", {'monmouth_slo_burn{objective="latency",speed="fast"}': steps(1)}, fires=False),
    Case("SloBurnSlow", {'monmouth_slo_burn{objective="latency",speed="slow"}': steps(0, 1.1)}),
    Case("SloBurnSlow", {'monmouth_slo_burn{objective="latency",speed="fast"}': steps(2)}, fires=False),
    Case("HighMemory", {"monmouth_memory_usage_mb": steps(100, 9000)}),
    Case("HighMemory", {"monmouth_memory_usage_mb": steps(8192)}, fires=False),
    Case("FallingBehind", {'monmouth_runtime_seconds_behind{agent="memory",partition="0"}': steps(0, 31)}),
    Case("FallingBehind", {'monmouth_runtime_seconds_behind{agent="memory",partition="0"}': steps(31, 31, 31, 0)}, fires=False),
    Case(
        "FallingBehind",
        {
            'monmouth_runtime_seconds_behind{agent="memory",partition="0"}': steps(31, 31, 0),
            'monmouth_runtime_seconds_behind{agent="memory",partition="1"}': steps(0, 31),
            'monmouth_runtime_seconds_behind{agent="intent",partition="0"}': steps(0, 0, 99),
        },
    ),
    Case("ReorgBelowFinality", {"monmouth_producer_reorgs_below_final_total": steps(0, 0, 1)}),
    Case("ReorgBelowFinality", {"monmouth_producer_reorgs_below_final_total": steps(3)}, fires=False),
    Case("LogIntegrity", {'monmouth_runtime_integrity_stops_total{agent="memory"}': steps(0, 0, 1)}),
    Case("LogIntegrity", {'monmouth_runtime_integrity_stops_total{agent="memory"}': steps(2, 2, 0)}, fires=False),
    Case("DeadLetters", {'monmouth_runtime_dead_letters_total{agent="intent"}': steps(5, 0, 1)}),
    Case("DeadLetters", {'monmouth_runtime_dead_letters_total{agent="intent"}': steps(5)}, fires=False),
    Case("DiskFillsUp", {"monmouth_disk_usage_percent": steps(89, 91)}),
    Case("DiskFillsUp", {"monmouth_disk_usage_percent": steps(90)}, fires=False),
    Case("AlertsNotTold", {'monmouth_alerts_told_total{channel="hook",outcome="refused"}': steps(0, 0, 1)}),
    Case("AlertsNotTold", {'monmouth_alerts_told_total{channel="hook",outcome="taken"}': grow(1)}, fires=False),
]


def took(kind: str, n: str, fast: float, all_: float) -> dict[str, list[float]]:
    """So many more at each look within 50 ms, and within 100."""
    bounds = {"50.0": fast, "100.0": all_, "+Inf": all_}
    return {f'monmouth_took_ms_bucket{{kind="{kind}",n="{n}",le="{le}"}}': grow(each) for le, each in bounds.items()}


FORMS = """
[[rule]]
name = "AndWhole"
condition = "level > 5 and sum(level) > 20"
[[rule]]
name = "OrBoth"
condition = "level > 5 or other > 5"
[[rule]]
name = "OverTime"
condition = "avg(level[30s]) > 5"
[[rule]]
name = "Apart"
condition = "level - other > 3"
[[rule]]
name = "Grouped"
condition = "sum by (l) (level) > 10"
[[rule]]
name = "Matched"
condition = "max(level{l!='x'}) > 5"
[[rule]]
name = "Unless"
condition = "level > 5 unless other > 5"
[[rule]]
name = "UnlessWhole"
condition = "level > 5 unless sum(other) > 16"
[[rule]]
name = "WholeUnless"
condition = "sum(level) > 5 unless other{l='y'} > 5"
[[rule]]
name = "Abs"
condition = "abs(level - 12) < 4"
[[rule]]
name = "AbsWhole"
condition = "level > 5 and abs(sum(level) - 30) < 10"
[[rule]]
name = "By"
condition = "sum(level) by (l) > 10"
[[rule]]
name = "RateBy"
condition = "rate(grows_total[60s]) by (kind) > 0"
[[rule]]
name = "Deriv"
condition = "deriv(slope[60s]) > 0.3"
[[rule]]
name = "Predict"
condition = "predict_linear(slope[60s], 5m) > 151"
[[rule]]
name = "P90By"
condition = "p90(took_ms[60s]) by (kind) > 60"
[[rule]]
name = "P50By"
condition = "p50 by (kind) (took_ms[60s]) < 60"
""".replace("'", '\\"')
TWO = {
    'monmouth_level{l="x"}': steps(1, 9),
    'monmouth_level{l="y"}': steps(1, 1, 1, 15),
    'monmouth_other{l="y"}': steps(1, 1, 1, 1, 1, 1, 9),
    'monmouth_other{l="z"}': steps(9),
    'monmouth_grows_total{kind="a",n="1"}': grow(1),
    'monmouth_grows_total{kind="a",n="2"}': grow(2),
    'monmouth_grows_total{kind="b",n="1"}': steps(3),
    'monmouth_slope{l="up"}': grow(2),
    'monmouth_slope{l="flat"}': steps(5),
    **took("a", "1", 8, 8),
    **took("a", "2", 0, 2),
    **took("b", "1", 9, 9),
}


def labels_of(series: str) -> tuple[str, dict[str, str]]:
    name, _, rest = series.partition("{")
    pairs = (pair.split("=") for pair in rest.rstrip("}").split(",") if pair)
    return name, {key: value.strip('"') for key, value in pairs}


def fires_in_the_watch(rules: list[AlertRule], series: dict[str, list[float]]) -> list[dict[str, list[Labels]]]:
    """What fires at each look, by rule."""
    judge, found = Judge(rules, STEP), []
    for at in range(LONG):
        for text, values in series.items():
            name, labels = labels_of(text)
            key = tuple(sorted({**labels, **JOB}.items()))
            judge.take([Sample(UP if name == "up" else name, key, at * STEP, values[at])])
        judge.step(at * STEP)
        found.append({rule.name: judge.alerts.fires(rule.name) for rule in rules})
    return found


def expected(rule: AlertRule, group: dict[str, Any], found: list[dict[str, list[Labels]]]) -> list[dict[str, Any]]:
    (written,) = (each for each in group["groups"][0]["rules"] if each["alert"] == rule.name)
    return [
        {
            "eval_time": f"{at * STEP}s",
            "alertname": rule.name,
            "exp_alerts": [
                {"exp_labels": {**written["labels"], **dict(labels)}, "exp_annotations": written["annotations"]}
                for labels in fires[rule.name]
            ],
        }
        for at, fires in enumerate(found)
    ]


def written(series: dict[str, list[float]]) -> list[dict[str, str]]:
    rows = []
    for text, values in series.items():
        name, labels = labels_of(text)
        inside = ",".join(f'{key}="{value}"' for key, value in {**labels, **JOB}.items())
        rows.append({"series": f"{name}{{{inside}}}", "values": " ".join(f"{value:g}" for value in values)})
    return rows


def judged(folder: Path, rules: list[AlertRule], tests: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    (folder / "rules.json").write_text(json.dumps(rule_group(rules, STEP)))
    said = {"rule_files": ["rules.json"], "evaluation_interval": f"{STEP}s", "tests": tests}
    (folder / "tests.json").write_text(json.dumps(said))
    argv = [program("promtool"), "test", "rules", str(folder / "tests.json")]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_the_table_fires_in_the_watch_where_it_should() -> None:
    rules = {rule.name: rule for rule in default_rules()}
    assert {case.rule for case in CASES if case.fires} == {case.rule for case in CASES if not case.fires} == rules.keys()
    for case in CASES:
        found = fires_in_the_watch([rules[case.rule]], case.series)
        assert any(fires[case.rule] for fires in found) == case.fires, case


def test_prometheus_agrees_at_every_look(tmp_path: Path) -> None:
    rules = {rule.name: rule for rule in default_rules()}
    group = rule_group(list(rules.values()), STEP)
    tests = []
    for case in CASES:
        rule = rules[case.rule]
        table = expected(rule, group, fires_in_the_watch([rule], case.series))
        tests.append({"interval": f"{STEP}s", "input_series": written(case.series), "alert_rule_test": table})
    answer = judged(tmp_path, list(rules.values()), tests)
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
    tests[0]["alert_rule_test"][-1]["exp_alerts"] = []
    assert judged(tmp_path, list(rules.values()), tests).returncode != 0, "it does not look"


def test_prometheus_agrees_on_the_forms_of_the_language(tmp_path: Path) -> None:
    rules = rules_of(FORMS, "here")
    found = fires_in_the_watch(rules, TWO)
    assert all(any(fires[rule.name] for fires in found) for rule in rules)
    table = [row for rule in rules for row in expected(rule, rule_group(rules, STEP), found)]
    tests = [{"interval": f"{STEP}s", "input_series": written(TWO), "alert_rule_test": table}]
    answer = judged(tmp_path, rules, tests)
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]


def test_names_are_those_of_the_products_metrics() -> None:
    assert all(name == "up" or name.startswith(PREFIX) for case in CASES for name, _ in map(labels_of, case.series))


@pytest.mark.parametrize("rule", default_rules(), ids=lambda rule: rule.name)
def test_promtool_takes_each_rule(rule: AlertRule, tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text(json.dumps(rule_group([rule], STEP)))
    answer = subprocess.run([program("promtool"), "check", "rules", tmp_path / "rules.json"], capture_output=True, check=False)
    assert answer.returncode == 0, answer.stdout
