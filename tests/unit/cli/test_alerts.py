"""``monmouth alerts``: checks, the rule file for Prometheus, and refusals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streams.cli import cli
from streams.errors import ConfigurationError

RULES = '[[rule]]\nname = "Slow"\ncondition = "latency_p95_ms > 100"\nchannels = ["pager"]\n'


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["alerts", *words])


def test_check_shows_the_rules(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    assert "latency_p95_ms > 100" in run("check", "--rules", str(file)).output
    assert "TargetDown" in run("check").output
    file.write_text(RULES.replace("> 100", ">"))
    refused = run("check", "--rules", str(file))
    assert isinstance(refused.exception, ConfigurationError)


def test_prometheus_gets_a_rule_file() -> None:
    found = json.loads(run("prometheus").output)
    recording, alerting = found["groups"]
    assert recording["rules"][0]["record"] == "monmouth_slo_burn_rate"
    assert alerting["rules"][0]["alert"] == "TargetDown"


@pytest.mark.parametrize(
    ("text", "said"), [(None, "no channel is called pager"), ("pager = 1", "is no table"), ("[", "cannot read")]
)
def test_watch_refuses_channels_it_does_not_know(tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    words = ["watch", "--rules", str(file)]
    if text is not None:
        (tmp_path / "channels.toml").write_text(text)
        words += ["--channels", str(tmp_path / "channels.toml")]
    refused = run(*words)
    assert isinstance(refused.exception, ConfigurationError)
    assert said in refused.exception.message


def test_alertmanager_gets_a_configuration(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    (tmp_path / "channels.toml").write_text('[pager]\ntype = "webhook"\nurl = "http://127.0.0.1:9/"\n')
    found = json.loads(run("alertmanager", "--rules", str(file), "--channels", str(tmp_path / "channels.toml")).output)
    assert [receiver["name"] for receiver in found["receivers"]] == ["log", "pager"]
    assert json.loads(run("alertmanager").output)["route"]["routes"] == []
    refused = run("alertmanager", "--rules", str(file))
    assert isinstance(refused.exception, ConfigurationError)


def test_the_rules_that_come_with_it_are_told_on_the_channels_that_are_there(tmp_path: Path) -> None:
    file = tmp_path / "channels.toml"
    file.write_text('[pager]\ntype = "webhook"\nurl = "http://127.0.0.1:9/"\n')
    found = json.loads(run("alertmanager", "--channels", str(file)).output)
    assert [receiver["name"] for receiver in found["receivers"]] == ["log", "pager"]
    labelled = json.loads(run("prometheus", "--channels", str(file)).output)["groups"][1]["rules"]
    assert {rule["labels"]["channels"] for rule in labelled} == {",log,pager,"}
    (tmp_path / "rules.toml").write_text(RULES.replace('"pager"', '"log"'))
    refused = run("alertmanager", "--rules", str(tmp_path / "rules.toml"), "--channels", str(file))
    assert isinstance(refused.exception, ConfigurationError)
    assert "no rule tells the channel pager" in refused.exception.message


def test_the_settings_name_rules_and_channels_and_the_command_line_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "channels.toml").write_text('[pager]\ntype = "webhook"\nurl = "http://127.0.0.1:9/"\n')
    monkeypatch.setenv("MONMOUTH_OPS__RULES_FILE", str(tmp_path / "rules.toml"))
    assert "latency_p95_ms > 100" in run("check").output
    assert json.loads(run("prometheus").output)["groups"][1]["rules"][0]["alert"] == "Slow"
    refused = run("watch", "--from-log")
    assert isinstance(refused.exception, ConfigurationError)
    assert "no channel is called pager" in refused.exception.message
    monkeypatch.setenv("MONMOUTH_OPS__CHANNELS_FILE", str(tmp_path / "channels.toml"))
    assert [receiver["name"] for receiver in json.loads(run("alertmanager").output)["receivers"]] == ["log", "pager"]
    (tmp_path / "others.toml").write_text(RULES.replace("Slow", "Slower"))
    assert "Slower" in run("check", "--rules", str(tmp_path / "others.toml")).output
    refused = run("check", "--rules", str(tmp_path / "gone.toml"))
    assert isinstance(refused.exception, ConfigurationError)
    assert "gone.toml" in refused.exception.message


def test_a_file_of_the_settings_that_is_not_there_yet_begins_with_the_rules_that_ship(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shipped = run("check").stdout
    (tmp_path / "channels.toml").write_text('[pager]\ntype = "webhook"\nurl = "http://127.0.0.1:9/"\n')
    monkeypatch.setenv("MONMOUTH_OPS__RULES_FILE", str(tmp_path / "later.toml"))
    assert run("check").stdout == shipped
    assert "later.toml is not there" in caplog.text
    labelled = json.loads(run("prometheus", "--channels", str(tmp_path / "channels.toml")).stdout)["groups"][1]["rules"]
    assert {rule["labels"]["channels"] for rule in labelled} == {",log,pager,"}
    assert run("disable", "HighLatency").exit_code == 0
    assert run("check").stdout == shipped.replace("latency_p95_ms > 100\n", "latency_p95_ms > 100  (disabled)\n")
    (tmp_path / "later.toml").unlink()
    (tmp_path / "later.toml").mkdir()
    assert isinstance(run("check").exception, ConfigurationError), "it is there, and cannot be read"


def test_a_rule_of_the_file_is_switched_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    refused = run("disable", "Slow")
    assert isinstance(refused.exception, ConfigurationError)
    assert "ops.rules_file" in refused.exception.hint
    monkeypatch.setenv("MONMOUTH_OPS__RULES_FILE", str(file))
    assert run("disable", "Slow").exit_code == 0
    assert "(disabled)" in run("check").output
    assert run("enable", "Slow").exit_code == 0
    assert "(disabled)" not in run("check").output
    assert run("resolve", "Slow", "--label", "agent").exit_code == 2


def test_silences_are_made_listed_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONMOUTH_STATE_DIR", str(tmp_path / "state"))
    assert run("silences", "list").output == ""
    made = run("silence", "FallingBehind", "--for", "30m", "--label", "agent=memory", "--reason", "a rebuild")
    assert made.exit_code == 0
    assert "FallingBehind agent=memory  a rebuild" in made.output
    assert run("silences", "list").output == made.output
    assert isinstance(run("silence", "*", "--for", "long").exception, ConfigurationError)
    assert isinstance(run("silence", "*", "--for", "60d").exception, ConfigurationError)
    unknown = run("silence", "FalingBehind")
    assert isinstance(unknown.exception, ConfigurationError)
    assert "no rule is called FalingBehind: AlertsNotTold, " in unknown.exception.message
    assert isinstance(run("silences", "end", "nothing").exception, ConfigurationError)
    assert run("silences", "end", made.output.split()[0]).exit_code == 0
    assert run("silences", "list").output == ""
    (tmp_path / "rules.toml").write_text(RULES)
    assert run("silence", "Slow", "--rules", str(tmp_path / "rules.toml")).exit_code == 0
    assert run("silence", "*").exit_code == 0


SILENT_PROCESS = """[[rule]]
name = "Down"
condition = "target_up < 1"
"""


def watched(tmp_path: Path, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
    """A watch of an address where nothing listens."""
    (tmp_path / "rules.toml").write_text(SILENT_PROCESS)
    words = ["alerts", "watch", "--rules", str(tmp_path / "rules.toml"), "--target", "http://127.0.0.1:9/metrics"]
    argv = [sys.executable, "-m", "streams.cli", "--state-dir", str(tmp_path), *words, "--interval", "0.1"]
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr)


def ended(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_a_terminal_shows_each_event_once(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    process = watched(tmp_path, theirs, theirs)
    os.close(theirs)
    shown = b""
    try:
        while b"[firing]" not in shown:
            shown += os.read(ours, 65_536)
        ended(process)
        while True:
            shown += os.read(ours, 65_536)
    except OSError:  # the far side is closed, and all is read
        pass
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert shown.count(b"[firing]") == 1, shown


def test_apart_both_the_output_and_the_log_have_each_event(tmp_path: Path) -> None:
    process = watched(tmp_path, subprocess.PIPE, subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    try:
        printed = process.stdout.readline()
        logged = process.stderr.readline()
        ended(process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()
    assert b"UTC  [firing] warning Down" in printed
    assert b"monmouth.alerts [firing] warning Down" in logged
