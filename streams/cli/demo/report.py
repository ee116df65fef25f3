"""A course of parts as a report in Markdown: summary, details, averages. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from streams.cli.demo.course import PartResult, averages, shown
from streams.errors import ConfigurationError


def markdown(title: str, facts: Mapping[str, str], results: Sequence[PartResult]) -> str:
    """``facts``: what it ran on."""
    return "\n".join([f"# {title}", "", *_table(("", ""), facts.items()), *_summary(results), *_details(results)]) + "\n"


def _summary(results: Sequence[PartResult]) -> list[str]:
    if not results:
        return ["## Summary", "", "Nothing has run."]
    rows = [(one.name, "passed" if one.success else "FAILED", f"{one.duration:.2f}") for one in results]
    passed = sum(one.success for one in results)
    mean = averages(results)
    return [
        "## Summary",
        "",
        f"{passed} of {len(results)} passed.",
        "",
        *_table(("part", "result", "seconds"), rows),
        "## Averages",
        "",
        *_table(("", ""), [(name, f"{value:.0%}" if name == "passed" else f"{value:.2f}") for name, value in mean.items()]),
    ]


def _details(results: Sequence[PartResult]) -> list[str]:
    lines = ["## Details", ""]
    for one in results:
        lines += [f"### {one.name}", ""]
        if one.error is not None:
            lines += [f"Failed: {_cell(one.error)}", ""]
        lines += [f"* {name}: {_cell(shown(value))}" for name, value in one.metrics.items()]
        lines += [""] if one.metrics else []
    return lines[:-1]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(_cell(str(cell)) for cell in line)} |" for line in lines] + [""]


def _cell(text: str) -> str:
    """On one line, and nothing in it that ends a cell."""
    return " ".join(text.split()).replace("|", "\\|")


def write(path: Path, text: str) -> None:
    """Raises ConfigurationError where the file cannot be written."""
    try:
        path.write_text(text)
    except OSError as error:
        hint = "Name a file in a folder that you may write."
        raise ConfigurationError(f"cannot write {path}: {error.strerror}", hint) from None
