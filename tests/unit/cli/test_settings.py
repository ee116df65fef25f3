"""The list of settings: complete, true of this environment, and with nothing secret in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from streams.cli.settings import rows, settings
from streams.errors import ConfigurationError
from streams.settings import CONFIG_ENV, Settings, load_settings


def said(*arguments: str) -> list[str]:
    done = CliRunner().invoke(settings, arguments, obj=load_settings())
    assert done.exit_code == 0, done.output
    return done.output.splitlines()


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def test_each_line_names_a_variable_that_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = [variable for variable, _, _ in rows(Settings())]
    assert len(variables) == len(set(variables)) == len(said())
    for variable in (
        "MONMOUTH_KAFKA__BOOTSTRAP",
        "MONMOUTH_STATE_DIR",
        "MONMOUTH_KAFKA__ACCESS__USER",
        "MONMOUTH_RAG__EMBEDDING_MODEL",
    ):
        assert variable in variables
        monkeypatch.setenv(variable, "here:9092")
        assert f"{variable}=here:9092" in "\n".join(said())


def test_what_is_changed_and_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONMOUTH_KAFKA__PARTITIONS", "32")
    assert [line.split("    ")[0] for line in said("--changed")] == ["MONMOUTH_KAFKA__PARTITIONS=32"]
    assert all(line.startswith("MONMOUTH_PROBES__") for line in said("probes"))
    assert CliRunner().invoke(settings, ["nobody"], obj=load_settings()).exit_code == 2


@pytest.mark.parametrize("variable", ["MONMOUTH_SECURITY__MASTER_KEY", "MONMOUTH_KAFKA__ACCESS__PASSWORD"])
def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "ab" * 32)
    assert "ab" * 32 not in "\n".join(said())
    assert said("--changed") == [line for line in said() if line.startswith(f"{variable}=(set)")]
    assert len(said("--changed")) == 1


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("MONMOUTH_KAFKA__BOOTSRAP", "here:1", "kafka.bootsrap: there is no such setting"),
        ("MONMOUTH_KAFKA__ACCESS__USERS", "me", "kafka.access.users: there is no such setting"),
        ("MONMOUTH_GATWAY__PORT", "1", "MONMOUTH_GATWAY__PORT: there is no such setting"),
        ("MONMOUTH_KAFKA__PARTITIONS", "four", "kafka.partitions: Input should be a valid integer"),
        ("MONMOUTH_HEALTH__PROVIDERS", "broker", "MONMOUTH_HEALTH__PROVIDERS: lists and tables are written as JSON"),
    ],
)
def test_a_slip_in_the_environment_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        load_settings()


def test_a_slip_in_a_file_is_refused_with_the_name_of_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    monkeypatch.setenv(CONFIG_ENV, str(file))
    file.write_text('[kafka]\nbootsrap = "here:1"\n[helth]\nx = 1\n')
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    assert "kafka.bootsrap: there is no such setting" in refused.value.message
    assert "helth: there is no such setting" in refused.value.message
    assert str(file) in refused.value.hint
    file.write_text("[kafka\n")
    with pytest.raises(ConfigurationError, match=f"{file} is not TOML"):
        load_settings()
