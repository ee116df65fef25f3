"""Whom the rules that come with the product tell."""

from __future__ import annotations

import pytest

from streams.ops.alerts.defaults import PAGES, default_rules, shipped_rules

ALL = {"chat": "slack", "hook": "webhook", "pager": "pagerduty", "mail": "email"}


def told(channels: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {rule.name: rule.channels for rule in default_rules(channels)}


@pytest.mark.parametrize(
    ("rule", "channels"),
    [
        ("HighLatency", {"log", "chat", "hook"}),
        ("SystemHealthDegraded", {"log", "pager"}),
        ("HighErrorRate", {"log", "mail"}),
        ("TargetDown", {"log", "pager", "chat", "hook"}),
    ],
)
def test_a_rule_tells_the_channels_of_its_kinds(rule: str, channels: set[str]) -> None:
    assert set(told(ALL)[rule]) == channels


def test_all_channels_of_a_kind_are_told() -> None:
    assert told({"one": "email", "two": "email"})["HighErrorRate"] == ("log", "one", "two")


@pytest.mark.parametrize("channels", [ALL, {"pager": PAGES}, {"pager": PAGES, "chat": "slack"}, {"webhook": PAGES}])
def test_no_warning_wakes_anybody(channels: dict[str, str]) -> None:
    pagers = {name for name, kind in channels.items() if kind == PAGES}
    assert not [rule.name for rule in default_rules(channels) if rule.severity != "critical" and pagers & set(rule.channels)]
    assert [rule.name for rule in default_rules(channels) if pagers & set(rule.channels)]


@pytest.mark.parametrize("kind", ["slack", "webhook", "email"])
def test_a_rule_of_which_no_kind_is_there_tells_what_is(kind: str) -> None:
    assert set(told({"only": kind}).values()) == {("log", "only")}
    assert set(told({}).values()) == {("log",)}


def test_a_log_of_another_name_is_told_all() -> None:
    found = told({"file": "log", **ALL})
    assert all(channels[:2] == ("log", "file") for channels in found.values())
    assert "mail" in found["HighErrorRate"]


def test_each_rule_names_the_log_and_something_else() -> None:
    assert all(rule.channels[0] == "log" and len(rule.channels) > 1 for rule in shipped_rules())
