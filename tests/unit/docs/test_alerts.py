"""The page of alerts says of each rule that comes with the product what the code has, and its examples are true."""

from __future__ import annotations

import re
import tomllib

from streams.ops.alerts.defaults import shipped_rules
from streams.ops.alerts.rules import AlertRule, rules_of
from tests.alerts_table import PAGE, table, written
from tests.conftest import ROOT


def test_the_table_is_what_the_code_has() -> None:
    assert written() == table(), "write it anew: python -m tests.alerts_table"


def test_the_rules_of_its_examples_are_rules_and_those_of_a_shipped_name_have_its_severity() -> None:
    shipped = {rule.name: rule for rule in shipped_rules()}
    blocks = [block for block in re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL) if "[[rule]]" in block]
    found = [rule for block in blocks for rule in rules(block)]
    assert found
    for rule in found:
        if rule.name in shipped:
            ours = shipped[rule.name]
            assert (rule.severity, rule.condition, rule.hold) == (ours.severity, ours.condition, ours.hold), rule.name


def rules(block: str) -> list[AlertRule]:
    """Of an example; what it mutes is elsewhere."""
    muted = {name for row in tomllib.loads(block)["rule"] for name in row.get("mutes", [])}
    return rules_of(block + "".join(f'[[rule]]\nname = "{name}"\ncondition = "a > 1"\n' for name in muted), "the page")[
        : -len(muted) or None
    ]


def test_prometheus_of_the_compose_file_has_these_rules() -> None:
    text = (ROOT / "infra" / "prometheus" / "rules.json").read_text()
    assert [rule.name for rule in shipped_rules()] == re.findall(r'"alert": "(\w+)"', text)
