"""A rules file that is changed a rule at a time.

Assumes one editor at a time. Invariants: a change is in the file whole or not at all, also where the machine stops;
what is written is read back first, and only stays if it holds the rules that were meant and no others; whatever else stands in
the file, comments too, stays as it is. A file that is not there begins with the rules that come with the product.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from streams.errors import ConfigurationError
from streams.ops.alerts.defaults import default_rules
from streams.ops.alerts.rules import AlertRule, load_rules, rules_of
from streams.whole_file import replace_text

_HEAD = re.compile(r"^(?=\[\[\s*rule\s*\]\])", re.MULTILINE)
_ENABLED = re.compile(r"^([ \t]*enabled[ \t]*=[ \t]*)(?:true|false)\b", re.MULTILINE)
_TAIL = re.compile(r"(?:^[ \t]*(?:#.*)?\n)*\Z", re.MULTILINE)
"""Blank lines and comments at the end of a rule: those in front of the next one."""


class RuleBook:
    """``begin``: the rules of a file that is not there yet."""

    def __init__(self, file: Path, begin: Callable[[], list[AlertRule]] = default_rules) -> None:
        self._file = file
        self._begin = begin

    def rules(self) -> list[AlertRule]:
        """As they are now. Raises ConfigurationError."""
        return load_rules(self._file) if self._file.exists() else self._begin()

    def add(self, rule: AlertRule) -> AlertRule:
        """As it is in the file from now on; a severity may be said with capitals. Raises ConfigurationError."""
        rule = replace(rule, severity=rule.severity.lower())
        rules = self.rules()
        if any(other.name == rule.name for other in rules):
            raise ConfigurationError(f"a rule is called {rule.name} already", "Remove that one first, or choose another name.")
        self._write(f"{self._text().rstrip()}\n\n{toml_of(rule)}".lstrip(), [*rules, rule])
        return rule

    def remove(self, name: str) -> None:
        """Raises ConfigurationError, also if another rule mutes it."""
        head, blocks, at = self._found(name)
        blocks[at] = _TAIL.search(blocks[at]).group().lstrip("\n")  # type: ignore[union-attr]  # it matches the empty end too
        self._write(head + "".join(blocks), [rule for rule in self.rules() if rule.name != name])

    def enable(self, name: str) -> None:
        """Raises ConfigurationError."""
        self._switch(name, enabled=True)

    def disable(self, name: str) -> None:
        """Raises ConfigurationError."""
        self._switch(name, enabled=False)

    def _switch(self, name: str, *, enabled: bool) -> None:
        head, blocks, at = self._found(name)
        word = json.dumps(enabled)
        line = f"enabled = {word}"
        changed, count = _ENABLED.subn(rf"\g<1>{word}", blocks[at], count=1)
        blocks[at] = changed if count else re.sub(r"\]\][^\n]*\n", lambda end: f"{end.group()}{line}\n", blocks[at], count=1)
        rules = [replace(rule, enabled=enabled) if rule.name == name else rule for rule in self.rules()]
        self._write(head + "".join(blocks), rules)

    def _text(self) -> str:
        return self._file.read_text() if self._file.exists() else "\n".join(map(toml_of, self._begin()))

    def _found(self, name: str) -> tuple[str, list[str], int]:
        """What stands in front of all rules, the text of each, and the place of one."""
        names = [rule.name for rule in self.rules()]
        if name not in names:
            raise ConfigurationError(f"no rule is called {name}: {', '.join(sorted(names))}")
        head, *blocks = _HEAD.split(self._text())
        try:
            found = [tomllib.loads(block)["rule"][0]["name"] for block in blocks]
        except (tomllib.TOMLDecodeError, KeyError):
            found = []
        if found != names:
            raise self._by_hand()
        return head, blocks, names.index(name)

    def _write(self, text: str, meant: Sequence[AlertRule]) -> None:
        if rules_of(text, str(self._file)) != list(meant):
            raise self._by_hand()
        try:
            replace_text(self._file, text)
        except OSError as error:
            raise ConfigurationError(f"cannot write {self._file}: {error.strerror}") from None

    def _by_hand(self) -> ConfigurationError:
        return ConfigurationError(f"{self._file} is written in a way that cannot be changed here", "Change it by hand.")


def toml_of(rule: AlertRule) -> str:
    """A table of the rules file."""
    said = {
        "name": rule.name,
        "description": rule.description,
        "condition": rule.condition,
        "severity": rule.severity,
        "evaluation_window": _duration(rule.evaluation_window),
        "for": _duration(rule.hold),
        "cooldown": _duration(rule.cooldown),
        "channels": list(rule.channels),
        "enabled": rule.enabled,
        "mutes": list(rule.mutes),
        "runbook": rule.runbook,
    }
    lines = (f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in said.items())
    return "[[rule]]\n" + "".join(lines)


def _duration(seconds: float) -> str:
    return f"{seconds:g}s" if seconds == round(seconds) < 1e6 else f"{round(1000 * seconds)}ms"
