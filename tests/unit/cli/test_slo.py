"""``monmouth slo``: objectives are shown or refused, and so is a month that is none."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from streams.cli import cli
from streams.errors import ConfigurationError


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["slo", *words])


def test_objectives_are_those_of_the_file_or_those_that_come_with_it(tmp_path: Path) -> None:
    assert "availability" in run("objectives").output
    file = tmp_path / "slo.toml"
    file.write_text('[[objective]]\nname = "own"\ntarget = 0.9\ntotal = "t_total"\nbad = "b_total"\n')
    assert run("objectives", "--objectives", str(file)).output.startswith("own")
    file.write_text("[[objective]]\n")
    assert isinstance(run("objectives", "--objectives", str(file)).exception, ConfigurationError)


def test_a_month_that_is_none_is_refused() -> None:
    refused = run("report", "--month", "november").exception
    assert isinstance(refused, ConfigurationError)
    assert "is no month" in refused.message
