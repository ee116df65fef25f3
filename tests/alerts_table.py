"""The rules that come with the product, as the table of docs/alerts.md. ``python -m tests.alerts_table`` writes it."""

from __future__ import annotations

import re

from streams.ops.alerts.defaults import shipped_rules
from streams.ops.alerts.rules import AlertRule, longest_window
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "alerts.md"
HEAD = "| rule | condition | severity | for | window | cooldown | tells | mutes |\n|---|---|---|---|---|---|---|---|\n"


def table() -> str:
    """As the page has it."""
    return HEAD + "".join(f"{_row(rule)}\n" for rule in shipped_rules())


def written() -> str:
    """What the page has."""
    found = re.search(re.escape(HEAD) + r"(?:\|.*\n)*", PAGE.read_text())
    assert found is not None, "the page has no table of rules"
    return found.group(0)


def _row(rule: AlertRule) -> str:
    cells = [
        f"[{rule.name}](runbook.md#{rule.name.lower()})",
        f"`{rule.condition}`",
        rule.severity,
        _time(rule.hold),
        _time(longest_window([rule])),
        _time(rule.cooldown),
        ", ".join(rule.channels),
        ", ".join("all others" if name == "*" else name for name in rule.mutes),
    ]
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _time(seconds: float) -> str:
    """In the largest unit that it is whole in; nothing for none."""
    if not seconds:
        return ""
    unit, length = next((unit, length) for unit, length in (("h", 3_600), ("min", 60), ("s", 1)) if seconds % length == 0)
    return f"{seconds / length:g} {unit}"


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text().replace(written(), table()))
