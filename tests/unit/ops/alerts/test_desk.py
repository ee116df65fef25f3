"""What an operator does by hand, through the facade: on the rules file, and on a log in memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streams.errors import ConfigurationError
from streams.ops.alerts.desk import AlertDesk
from streams.ops.alerts.logwatch import ALERTS
from streams.ops.alerts.records import silenced
from streams.ops.alerts.rules import AlertRule, load_rules
from streams.ops.reports import AlertRecord
from streams.serving.facades import Monitoring
from streams.settings import Settings
from streams.topics import OPS_ALERTS
from tests.fakelog import FakeBroker

EXAMPLE = AlertRule("Slow", "latency_p95_ms > 100", "Warning", "Answers take long.", evaluation_window=60, cooldown=300)


def alert(rule: str, state: str, **labels: str) -> AlertRecord:
    return AlertRecord(rule, labels, "warning", state, 1_000, 2.0, f"[{state}] warning {rule}")


@pytest.fixture
def broker() -> FakeBroker:
    broker = FakeBroker(1)
    records = [alert("High", "firing", instance="a"), alert("High", "firing", instance="b"), alert("Low", "resolved")]
    broker.append(ALERTS, [(record.key, record.to_value()) for record in records])
    return broker


def facade(broker: FakeBroker, **ops: Any) -> Monitoring:
    settings = Settings.model_validate({"ops": ops})
    return Monitoring(None, AlertDesk(settings, broker))  # type: ignore[arg-type]  # no gateway is asked


def kept(broker: FakeBroker) -> list[tuple[str, str, str]]:
    records = [AlertRecord.from_value(value) for _, value in broker.read(OPS_ALERTS, 0)]
    return [(record.rule, record.labels.get("instance", ""), record.state) for record in records]


def test_rules_of_the_facade_are_those_of_the_file(broker: FakeBroker, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('[[rule]]\nname = "High"\ncondition = "level > 5"\n')
    monitoring = facade(broker, rules_file=str(file))
    monitoring.add_rule(EXAMPLE)
    assert [(rule.name, rule.severity, rule.evaluation_window) for rule in load_rules(file)][1:] == [("Slow", "warning", 60)]
    monitoring.disable("Slow")
    assert [rule.enabled for rule in monitoring.rules()] == [True, False]
    monitoring.enable("Slow")
    monitoring.remove_rule("High")
    assert [(rule.name, rule.enabled) for rule in load_rules(file)] == [("Slow", True)]


def test_a_facade_without_a_rules_file_says_so(broker: FakeBroker) -> None:
    with pytest.raises(ConfigurationError, match=r"no rules file"):
        facade(broker).add_rule(EXAMPLE)
    with pytest.raises(ConfigurationError, match="no brokers"):
        Monitoring(None).disable("High")  # type: ignore[arg-type]


def test_an_alert_is_declared_over_where_all_that_is_told_is_kept(broker: FakeBroker) -> None:
    monitoring = facade(broker)
    (over,) = monitoring.resolve("High", {"instance": "b"})
    assert over.summary == "[resolved] by hand: warning High"
    assert kept(broker)[3:] == [("High", "b", "resolved")]
    assert [record.labels for record in asyncio.run(AlertDesk(Settings(), broker).firing())] == [{"instance": "a"}]
    monitoring.resolve("High")
    assert kept(broker)[4:] == [("High", "a", "resolved")]


def test_the_end_of_what_nobody_was_told_of_is_told_to_nobody(broker: FakeBroker) -> None:
    quiet = replace(alert("Quiet", "firing"), summary="[silenced] warning Quiet")
    broker.append(ALERTS, [(quiet.key, quiet.to_value())])
    assert [silenced(record) for record in facade(broker).resolve("Quiet")] == [True]


@pytest.mark.parametrize(("name", "labels"), [("Low", {}), ("High", {"instance": "c"}), ("None", {})])
def test_what_does_not_fire_is_not_declared_over(broker: FakeBroker, name: str, labels: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="fires there"):
        facade(broker).resolve(name, labels)
    assert len(kept(broker)) == 3
