"""What README and guides point at exists: files, commands with their options, settings, and the messages they explain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streams.serving.wire.changes import CHANGE_TYPES
from streams.settings import Settings
from streams.topics import TOPICS
from tests.calls import calls, misused
from tests.conftest import ROOT

PAGES = sorted([ROOT / "README.md", ROOT / "perf" / "README.md", *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
GROUPS = [group for group, described in Settings.model_fields.items() if hasattr(described.annotation, "model_fields")]
SETTING = re.compile(rf"`({'|'.join(GROUPS)})\.([a-z_]+)`")
UNREAD = re.compile(r"Not enforced yet|Nothing uses them yet")
SOURCES = "\n".join(
    file.read_text() for folder in ("streams", "connectors", "infra") for file in ROOT.glob(f"{folder}/**/*.py")
)
page = pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def fields() -> Iterator[tuple[str, str]]:
    """(group, name) of every setting inside a group."""
    for group, described in Settings.model_fields.items():
        model: Any = described.annotation
        for name in getattr(model, "model_fields", ()):
            yield group, name


@page
def test_links_lead_somewhere(path: Path) -> None:
    missing = [target for target in LINK.findall(path.read_text()) if not (path.parent / target).exists()]
    assert missing == []


@page
def test_commands_and_options_are_real(path: Path) -> None:
    assert {call: said for call in calls(path.read_text()) if (said := misused(call)) is not None} == {}


@page
def test_settings_are_real(path: Path) -> None:
    for group, name in SETTING.findall(path.read_text()):
        if f"{group}.{name}" not in {*TOPICS, *CHANGE_TYPES}:
            model: Any = Settings.model_fields[group].annotation
            assert name in model.model_fields, f"{group}.{name}"


@pytest.mark.parametrize(("group", "name"), sorted(fields()))
def test_a_setting_is_read_or_says_that_it_is_not(group: str, name: str) -> None:
    model: Any = Settings.model_fields[group].annotation
    told = UNREAD.search(f"{model.__doc__} {model.model_fields[name].description}")
    read = re.search(rf"(?<!def )\.{name}\b", SOURCES)
    assert bool(read) is not bool(told)


def test_pages_that_messages_point_at_are_there() -> None:
    named = set(re.findall(r"docs/[a-z_-]+\.md", SOURCES))
    assert len(named) > 3
    assert not [name for name in sorted(named) if not (ROOT / name).exists()]


def test_messages_that_are_explained_can_be_said() -> None:
    """Each quoted message, cut at its gaps, is made of texts that stand in the sources."""
    rows = re.findall(r"^\| (.*?) \| ", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
    quoted = [message for row in rows for message in re.findall(r"`([^`]+)`", row)]
    assert len(quoted) >= 8
    for message in quoted:
        for part in re.split(r"\.\.\.|19092", message):
            assert part.strip() in SOURCES, message
