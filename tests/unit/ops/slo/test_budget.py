"""Budgets, burn rates, and the same alerts from Prometheus on the same events."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.ops.alerts.defaults import default_rules
from streams.ops.alerts.promql import rule_group
from streams.ops.slo.budget import WINDOWS, Burn, Count, Ledger
from streams.ops.slo.minutes import HALF_MS, MINUTE_MS, MINUTES, Half
from streams.ops.slo.objectives import default_objectives, objectives_of
from streams.ops.slo.promql import recording_group
from streams.ops.slo.standing import samples, windows
from tests.monitoring import program

(OBJECTIVE,) = objectives_of('[[objective]]\nname = "a"\ntarget = 0.99\ntotal = "t_total"\nbad = "b_total"\n', "here")
BEGIN = 1_700_000_000_000 // HALF_MS * HALF_MS


def ledger(*minutes: tuple[float, float] | None, process: str = "w", into: Ledger | None = None) -> Ledger:
    """Of (all, bad) events of minutes from BEGIN on; None where nothing is known."""
    found = into or Ledger()
    for start in range(0, len(minutes), MINUTES):
        half = Half()
        for at, events in enumerate(minutes[start : start + MINUTES]):
            if events is not None:
                half.add(at, *events)
        found.take(half.window("a", {"instance": process}, BEGIN + start * MINUTE_MS, BEGIN + start * MINUTE_MS))
    return found


def test_a_budget_is_what_may_be_bad() -> None:
    assert Count(1_000, 0).budget_left(0.01) == 1
    assert Count(1_000, 5).budget_left(0.01) == 0.5
    assert Count(1_000, 20).budget_left(0.01) == -1
    assert Count(1_000, 20).burn_rate(0.01) == 2
    assert Count().budget_left(0.01) is Count().burn_rate(0.01) is Count().bad_share is None


def test_processes_add_up_and_a_half_hour_that_comes_again_replaces_itself() -> None:
    both = ledger((10, 1), (10, 0), into=ledger((5, 5), None, process="v"))
    again = ledger((10, 1), (10, 0), into=both)
    assert list(again.minutes("a", 0, 1 << 62)) == [(BEGIN, Count(15, 6, 1)), (BEGIN + MINUTE_MS, Count(10, 0, 1))]
    again.forget(BEGIN + HALF_MS)
    assert again.count("a", 0, 1 << 62) == Count()


def test_minutes_of_which_nothing_is_known_are_neither_good_nor_bad() -> None:
    known = ledger(*[(100, 50)] * 10, *[None] * 50)
    burn = Burn.at(known, OBJECTIVE, BEGIN + 60 * MINUTE_MS)
    assert burn.rates["5m"] is burn.rates["30m"] is None
    assert burn.rates["1h"] == pytest.approx(50)
    assert burn.speeds == {"slow": pytest.approx(50)}, "the fast one lacks its short windows"


@pytest.mark.parametrize(("bad", "least", "told"), [(1, 5, False), (4, 5, False), (5, 5, True), (1, 1, True)])
def test_a_few_failures_of_a_quiet_hour_are_no_alert(bad: int, least: int, told: bool) -> None:
    objective = replace(OBJECTIVE, least_bad=least)
    quiet = ledger(*[(1, 0)] * 55, (float(5 + bad), float(bad)), *[(0, 0)] * 3)
    burn = Burn.at(quiet, objective, BEGIN + 58 * MINUTE_MS)
    assert (burn.rates["1h"] or 0) > 1, "however few they are, the rate says what it is"
    assert {speed for speed, times in burn.speeds.items() if times > 0} == ({"fast", "slow"} if told else set())
    assert set(burn.speeds) == {"fast", "slow"}, "known not to burn, so that what fires ends"


@given(st.lists(st.one_of(st.none(), st.tuples(st.integers(1, 50), st.integers(0, 50))), min_size=1, max_size=200))
def test_a_window_counts_the_minutes_that_began_in_it(minutes: list[tuple[int, int] | None]) -> None:
    events = [None if one is None else (float(one[0]), float(min(one))) for one in minutes]
    now = BEGIN + len(events) * MINUTE_MS
    rates = Burn.at(ledger(*events), OBJECTIVE, now).rates
    for window, seconds in WINDOWS.items():
        inside = [one for one in events[-seconds // 60 :] if one is not None]
        total, bad = sum(one[0] for one in inside), sum(one[1] for one in inside)
        assert rates[window] == (None if not total else pytest.approx(bad / total / 0.01))


def test_how_it_stands_is_said_with_what_is_known() -> None:
    found = list(windows(ledger((100, 1)), [OBJECTIVE], BEGIN + MINUTE_MS))
    assert [(one.name, one.closed) for one in found] == [("a", False)]
    assert (found[0].values["budget_left"], found[0].values["burn_5m"]) == (pytest.approx(0), pytest.approx(1))
    (nothing,) = windows(Ledger(), [OBJECTIVE], BEGIN)
    assert nothing.values == {"target": 0.99, "total": 0, "bad": 0}
    assert {
        sample.labels for sample in samples(ledger((100, 1)), [OBJECTIVE], BEGIN) if sample.name == "monmouth_slo_burn"
    } == {
        (("objective", "a"), ("speed", "fast")),
        (("objective", "a"), ("speed", "slow")),
    }


CASES = {
    "calm": [(600, 3)] * 400,
    "outage": [*[(600, 0)] * 120, *[(600, 300)] * 20, *[(600, 0)] * 260],
    "six hours": [*[(600, 0)] * 20, *[(600, 60)] * 380],
    "slow": [(600, 24)] * 400,
    "quiet after": [*[(600, 300)] * 30, *[(0, 0)] * 370],
    "one of a quiet hour": [(int(at % 10 == 8), int(at == 208)) for at in range(400)],
    "all of a quiet hour": [(int(at % 10 == 8), int(at % 10 == 8 and at > 200)) for at in range(400)],
}


@pytest.mark.parametrize("case", CASES)
def test_prometheus_tells_the_same_from_the_counters(case: str, tmp_path: Path) -> None:
    """Every ten minutes of nearly seven hours. Both count a minute in the window that it began in."""
    events = [(float(total), float(bad)) for total, bad in CASES[case]]
    rules = [rule for rule in default_rules() if rule.name.startswith("SloBurn")]
    group = rule_group(rules, 60)
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [recording_group([OBJECTIVE], 60), *group["groups"]]}))
    known, table, fired = ledger(*events), [], set()
    for at in range(20, len(events), 10):
        # Prometheus sees the sums at the end of a minute, which begins after it here.
        values = Burn.at(known, OBJECTIVE, BEGIN + at * MINUTE_MS - 1).speeds
        for rule, written in zip(rules, group["groups"][0]["rules"], strict=True):
            speed = "fast" if rule.name == "SloBurnFast" else "slow"
            labels = {**written["labels"], "objective": "a", "speed": speed}
            alerts = [{"exp_labels": labels, "exp_annotations": written["annotations"]}] if values.get(speed, 0) > 1 else []
            fired |= {speed} if alerts else set()
            table.append({"eval_time": f"{at}m", "alertname": rule.name, "exp_alerts": alerts})
    sums = [(sum(one[0] for one in events[:at]), sum(one[1] for one in events[:at])) for at in range(len(events) + 1)]
    series = [
        {"series": "monmouth_t_total", "values": " ".join(f"{total:g}" for total, _ in sums)},
        {"series": "monmouth_b_total", "values": " ".join(f"{bad:g}" for _, bad in sums)},
    ]
    tests = [{"interval": "1m", "input_series": series, "alert_rule_test": table}]
    order = ["monmouth-slo", "monmouth"]
    said = {"rule_files": ["rules.json"], "evaluation_interval": "1m", "group_eval_order": order, "tests": tests}
    (tmp_path / "tests.json").write_text(json.dumps(said))
    argv = [program("promtool"), "test", "rules", str(tmp_path / "tests.json")]
    answer = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout[-3000:] + answer.stderr[-3000:]
    both = {"fast", "slow"}
    expected = {"calm": set(), "outage": both, "six hours": both, "slow": {"slow"}}
    assert fired == (expected | {"one of a quiet hour": set(), "all of a quiet hour": both}).get(case, fired)


def test_promtool_takes_the_recording_of_the_default_objectives(tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text(json.dumps({"groups": [recording_group(default_objectives(), 5)]}))
    answer = subprocess.run([program("promtool"), "check", "rules", tmp_path / "rules.json"], capture_output=True, check=False)
    assert answer.returncode == 0, answer.stdout
