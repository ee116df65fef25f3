"""The configuration of Alertmanager: taken by its own checker, routed as the rules say, refused where it would say less."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from streams.errors import ConfigurationError
from streams.ops.alerts.alertmanager import configuration
from streams.ops.alerts.defaults import default_rules
from streams.ops.alerts.promql import rule_group
from streams.ops.alerts.rules import rules_of
from tests.monitoring import program

RULES = """
[[rule]]
name = "Down"
condition = "target_up < 1"
severity = "critical"
channels = ["pager", "mail", "log"]
mutes = ["*"]
[[rule]]
name = "Slow"
condition = "latency_p95_ms > 100"
channels = ["chat", "hook"]
mutes = ["Slowish"]
[[rule]]
name = "Slowish"
condition = "latency_p95_ms > 50"
severity = "info"
channels = ["file"]
"""
MAIL = {"type": "email", "host": "mail.example.org", "port": 587, "sender": "m@example.org", "recipients": ["a@example.org"]}


def channels(folder: Path) -> dict[str, dict[str, Any]]:
    secret = folder / "secret"
    secret.write_text("https://example.org/secret")
    return {
        "pager": {"type": "pagerduty", "routing_key_file": str(secret)},
        "mail": {**MAIL, "user": "m", "password_file": str(secret)},
        "chat": {"type": "slack", "url_file": str(secret)},
        "hook": {"type": "webhook", "url": "http://127.0.0.1:9/hook"},
        "file": {"type": "log"},
    }


def written(folder: Path) -> Path:
    file = folder / "alertmanager.json"
    file.write_text(json.dumps(configuration(rules_of(RULES, "here"), channels(folder))))
    return file


def amtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program("amtool"), *map(str, words)], capture_output=True, text=True, check=False)


def test_amtool_takes_it_and_no_secret_is_in_it(tmp_path: Path) -> None:
    file = written(tmp_path)
    answer = amtool("check-config", file)
    assert answer.returncode == 0, answer.stderr
    assert "https://example.org/secret" not in file.read_text()
    file.write_text(file.read_text().replace('"receiver": "pager"', '"receiver": "nobody"'))
    assert amtool("check-config", file).returncode != 0, "it does not look"


@pytest.mark.parametrize(("rule", "receivers"), [("Down", "pager,mail"), ("Slow", "chat,hook"), ("Slowish", "file")])
def test_amtool_routes_an_alert_to_the_channels_of_its_rule(tmp_path: Path, rule: str, receivers: str) -> None:
    (labels,) = (
        each["labels"] for each in rule_group(rules_of(RULES, "here"), 1)["groups"][0]["rules"] if each["alert"] == rule
    )
    said = [f"{name}={value}" for name, value in labels.items()]
    answer = amtool("config", "routes", "test", f"--config.file={written(tmp_path)}", *said)
    assert sorted(answer.stdout.strip().split(",")) == sorted(receivers.split(",")), answer.stderr


def test_what_goes_on_is_told_again_sooner_the_worse_it_is(tmp_path: Path) -> None:
    found = configuration(rules_of(RULES, "here"), channels(tmp_path))
    (pager,) = (route for route in found["route"]["routes"] if route["receiver"] == "pager")
    again = {route["matchers"][0]: route["repeat_interval"] for route in pager["routes"]}
    assert again == {'severity="critical"': "1h", 'severity="warning"': "4h", 'severity="info"': "1d"}


def test_a_rule_mutes_those_it_names(tmp_path: Path) -> None:
    down, slow = configuration(rules_of(RULES, "here"), channels(tmp_path))["inhibit_rules"]
    assert (down["source_matchers"], down["target_matchers"]) == (['alertname="Down"'], ['alertname!="Down"'])
    assert slow["target_matchers"] == ['alertname=~"Slowish"']
    assert configuration(default_rules(), {})["receivers"] == [{"name": "log"}]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"type": "webhook", "url": "http://127.0.0.1:9/", "secret_file": "{secret}"}, "signs no webhooks"),
        ({"type": "slack", "url_env": "HOME"}, "no secret from the environment"),
        ({**MAIL, "security": "tls", "port": 466}, "on port 465 only"),
        ({"type": "webhook", "colour": "red"}, "colour"),
    ],
)
def test_what_has_no_counterpart_is_refused(tmp_path: Path, fields: dict[str, Any], said: str) -> None:
    (tmp_path / "secret").write_text("x")
    filled = {key: str(tmp_path / "secret") if value == "{secret}" else value for key, value in fields.items()}
    rules = rules_of('[[rule]]\nname = "A"\ncondition = "a > 1"\nchannels = ["c"]\n', "here")
    with pytest.raises(ConfigurationError) as refused:
        configuration(rules, {"c": filled})
    assert said in refused.value.message
    assert refused.value.message.startswith("channel c")
