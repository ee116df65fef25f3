"""Every rule that comes with the product has a section of the runbook, whose commands and metrics exist."""

from __future__ import annotations

import re

import pytest

from streams.ops.alerts.defaults import RUNBOOK, default_rules
from streams.ops.alerts.promql import rule_group
from tests.conftest import ROOT

PAGE = (ROOT / RUNBOOK).read_text()
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
PARTS = ("**Meaning.**", "**See.**", "**Done already.**", "**Do.**")
SOURCES = "\n".join(file.read_text() for folder in ("streams", "connectors") for file in ROOT.glob(f"{folder}/**/*.py"))


def test_each_rule_has_its_section_and_each_section_its_rule() -> None:
    assert [rule.name for rule in default_rules()] == list(SECTIONS)


def test_each_alert_links_to_its_section() -> None:
    anchors = {f"{RUNBOOK}#{title.lower()}" for title in SECTIONS}
    assert {rule.runbook for rule in default_rules()} == anchors
    written = rule_group(default_rules(), 5)["groups"][0]["rules"]
    assert {rule["annotations"]["runbook_url"] for rule in written} == anchors


@pytest.mark.parametrize("title", SECTIONS)
def test_a_section_says_what_it_means_and_what_to_do(title: str) -> None:
    places = [SECTIONS[title].find(part) for part in PARTS]
    assert -1 not in places
    assert places == sorted(places)


def test_its_metrics_exist() -> None:
    named = set(re.findall(r"`(monmouth_\w+)`", PAGE))
    assert len(named) > 10
    missing = [name for name in sorted(named) if f'"{name.removesuffix("_count")}"' not in SOURCES]
    assert missing == []
