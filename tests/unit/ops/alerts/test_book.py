"""A rules file that is changed a rule at a time: what was meant is in it, and whatever else stood there still does."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.errors import ConfigurationError
from streams.ops.alerts.book import RuleBook
from streams.ops.alerts.defaults import default_rules
from streams.ops.alerts.judge import Judge
from streams.ops.alerts.rules import AlertRule, load_rules
from streams.ops.alerts.series import Sample

SLOW = AlertRule(
    name="SlowAnswers",
    description="Answers take long.",
    condition="latency_p95_ms > 100",
    severity="Warning",
    evaluation_window=60,
    cooldown=300,
    enabled=True,
)
TEXT = """# ours
[[rule]]
name = "High"   # as agreed
condition = "level > 5"
mutes = ["Low"]

# for the night
[[rule]]
name = "Low"
condition = "level < 1"
enabled = false
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text(TEXT)
    return path


def slow(milliseconds: float) -> list[Sample]:
    """Ten answers a second, for a minute."""
    bounds = (50.0, 100.0, 500.0, float("inf"))
    return [
        Sample("monmouth_rag_query_latency_ms_bucket", (("le", str(bound)),), at, 10.0 * at * (milliseconds <= bound))
        for at in range(60)
        for bound in bounds
    ]


def test_the_rule_of_the_example_is_in_the_file_and_fires(file: Path) -> None:
    kept = RuleBook(file).add(SLOW)
    (rule,) = (one for one in load_rules(file) if one.name == "SlowAnswers")
    assert rule == kept
    assert (rule.severity, rule.evaluation_window, rule.cooldown, rule.enabled) == ("warning", 60, 300, True)
    for milliseconds, fires in ((400, [("SlowAnswers", "firing")]), (20, [])):
        judge = Judge([rule], 1)
        judge.take(slow(milliseconds))
        assert [(event.rule.name, event.state) for event in judge.step(59)] == fires


def test_a_file_that_is_not_there_begins_with_the_rules_that_ship(tmp_path: Path) -> None:
    book = RuleBook(tmp_path / "new.toml", lambda: default_rules({"chat": "slack"}))
    assert len(book.rules()) == len(default_rules())
    book.add(SLOW)
    rules = load_rules(tmp_path / "new.toml")
    assert [rule.name for rule in rules] == [*(rule.name for rule in default_rules()), "SlowAnswers"]
    assert rules[:-1] == default_rules({"chat": "slack"})


def test_on_and_off(file: Path) -> None:
    book = RuleBook(file)
    book.disable("High")
    book.enable("Low")
    assert [(rule.name, rule.enabled) for rule in load_rules(file)] == [("High", False), ("Low", True)]
    book.enable("High")
    assert file.read_text() == TEXT.replace("[[rule]]\n", "[[rule]]\nenabled = true\n", 1).replace("= false", "= true")


def test_what_stands_beside_the_switch_stays(file: Path) -> None:
    file.write_text(TEXT.replace("enabled = false", "\n  enabled=false   # until the move"))
    RuleBook(file).enable("Low")
    assert file.read_text() == TEXT.replace("enabled = false", "\n  enabled=true   # until the move")


def test_comments_outlive_a_rule(file: Path) -> None:
    RuleBook(file).remove("High")
    assert file.read_text() == "# ours\n# for the night\n" + TEXT.partition("night\n")[2]
    assert [rule.name for rule in load_rules(file)] == ["Low"]


def test_a_rule_that_another_one_mutes_stays(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="mutes Low"):
        RuleBook(file).remove("Low")
    assert file.read_text() == TEXT


@pytest.mark.parametrize(
    "text", ['rule = [{name = "A", condition = "a > 1"}]\n', '[[rule]]\nname = "A"\ncondition = """\n[[rule]]\n"""\n']
)
def test_what_cannot_be_changed_safely_is_refused_and_stays(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError):
        RuleBook(file).disable("A")
    assert file.read_text() == text


def test_mistakes_are_told_and_change_nothing(file: Path, tmp_path: Path) -> None:
    book = RuleBook(file)
    book.add(SLOW)
    before = file.read_text()
    for wrong in (
        lambda: book.add(SLOW),
        lambda: book.remove("None"),
        lambda: book.enable("None"),
        lambda: book.add(AlertRule("Odd", "a > 1", severity="dire")),
        lambda: book.add(AlertRule("Odd name", "a > 1")),
        lambda: book.add(AlertRule("Odd", "a >")),
        lambda: RuleBook(tmp_path / "nowhere" / "rules.toml").add(SLOW),
    ):
        with pytest.raises(ConfigurationError):
            wrong()
    assert file.read_text() == before
    assert list(tmp_path.iterdir()) == [file]
