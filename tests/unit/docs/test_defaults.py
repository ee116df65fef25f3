"""Defaults that pages beside docs/settings.md repeat are those of the settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from streams.settings import Settings
from streams.topics import DAY_MS, FOREVER, TOPICS
from tests.conftest import ROOT

KNOB = re.compile(r"^\| (`[a-z_]+\.[^|]*`) \| ([^|]+) \|", re.MULTILINE)
WORDS = {True: "on", False: "off", None: "empty"}
KEPT = re.compile(r"(\d+) days?")


def default(name: str) -> str:
    """As tables write it."""
    model: Any = Settings
    *path, last = name.split(".")
    for part in path:
        model = model.model_fields[part].annotation
    value = model.model_fields[last].get_default(call_default_factory=True)
    return WORDS[value] if value is None or isinstance(value, bool) else str(value)


def told(page: Path) -> dict[str, str]:
    """Settings with their defaults, of the tables of a page that name both."""
    found = {}
    for names, values in KNOB.findall(page.read_text()):
        settings = re.findall(r"`([^`]+)`", names)
        said = [value.strip("` ") for value in values.split(",")]
        if len(settings) == len(said):
            found |= dict(zip(settings, said, strict=True))
    return found


def test_the_page_on_tuning_tells_the_defaults() -> None:
    found = told(ROOT / "docs" / "tuning.md")
    assert len(found) > 25
    assert found == {name: default(name) for name in found}


def test_a_wrong_default_is_seen(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("| `kafka.fetch_mib`, `worker.standby` | 17, off | more |\n")
    assert told(tmp_path / "page.md") == {"kafka.fetch_mib": "17", "worker.standby": "off"}
    assert default("kafka.fetch_mib") == "16"


ROWS = re.findall(r"^\| (`[^|]*`) \| .* \| ([^|]+) \|$", (ROOT / "docs" / "tapping.md").read_text(), re.MULTILINE)


def test_the_page_on_tapping_names_every_topic() -> None:
    assert {topic for names, _ in ROWS for topic in re.findall(r"`([^`]+)`", names)} >= set(TOPICS)


@pytest.mark.parametrize(("names", "kept"), ROWS)
def test_the_page_on_tapping_says_how_long_topics_are_kept(names: str, kept: str) -> None:
    for name in re.findall(r"`([^`]+)`", names):
        assert ("compacted" in kept) is ("compact" in TOPICS[name].cleanup), name
        days = KEPT.search(kept)
        assert TOPICS[name].retention_ms == (int(days[1]) * DAY_MS if days else FOREVER), name
