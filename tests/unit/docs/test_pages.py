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
ANCHOR = re.compile(r"\]\((?!https?:)([^)#]*)#([^)]*)\)")
MODULE = re.compile(r"python3? -m ((?:perf|tests|streams|infra)[\w.]*)([^`\n#]*)")
FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
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


def anchors(text: str) -> set[str]:
    """Names of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower().strip()).replace(" ", "-") for heading in headings}


@page
def test_links_lead_to_a_heading(path: Path) -> None:
    missing = []
    for target, anchor in ANCHOR.findall(path.read_text()):
        leads = (path.parent / target) if target else path
        if leads.suffix == ".md" and anchor not in anchors(leads.read_text()):
            missing.append(f"{target}#{anchor}")
    assert missing == []


def test_headings_are_named_as_github_names_them() -> None:
    text = (
        "# A page\n## What's in `it`, and (why)?\n```sh\n# no heading\n```\n### 5. Deliveries, and what is tried again later\n"
    )
    assert anchors(text) == {"a-page", "whats-in-it-and-why", "5-deliveries-and-what-is-tried-again-later"}


@pytest.mark.parametrize("path", sorted((ROOT / "docs").glob("*.md")), ids=lambda path: path.name)
def test_readme_names_every_page(path: Path) -> None:
    assert f"(docs/{path.name})" in (ROOT / "README.md").read_text()


@page
def test_commands_and_options_are_real(path: Path) -> None:
    assert {call: said for call in calls(path.read_text()) if (said := misused(call)) is not None} == {}


@page
def test_modules_and_their_options_are_real(path: Path) -> None:
    for module, arguments in MODULE.findall(path.read_text()):
        place = ROOT / module.replace(".", "/")
        files = [place / "__main__.py", *place.glob("*.py")] if place.is_dir() else [place.with_suffix(".py")]
        assert files[0].exists(), module
        shared = [ROOT / "perf" / "__init__.py", *(ROOT / "perf").glob("*.py")] if module.startswith("perf.") else []
        source = "".join(file.read_text() for file in (*files, *shared))
        assert [option for option in re.findall(r"--[a-z][\w-]*", arguments) if f'"{option}"' not in source] == [], module


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
