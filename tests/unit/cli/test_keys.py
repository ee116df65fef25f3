"""``monmouth keys``: what was sealed before stays readable, and a rewrap that was cut short is finished."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.cli import main
from streams.settings import Settings
from streams.vault.errors import VaultError
from streams.vault.master import load_or_create_master_key
from streams.vault.sealing import open_keys

AGENT = b"\xa1" * 20
NAME = f"0x{AGENT.hex()}"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path)


def run(settings: Settings, *arguments: str) -> int:
    return main(["--state-dir", str(settings.state_dir), "keys", *arguments])


def test_a_rotated_key_leaves_the_old_one_readable(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    sealed = open_keys(settings).get_or_create(AGENT).newest.seal(b"place", b"text")
    assert run(settings, "rotate", NAME) == 0
    assert capsys.readouterr().out.startswith("version 2")
    found = open_keys(settings).get(AGENT)
    assert found is not None
    assert found.boxes[1].open(b"place", sealed) == b"text"


def test_a_new_master_key_takes_the_place_of_the_old_one(settings: Settings) -> None:
    secret = open_keys(settings).get_or_create(AGENT).leaf_secret
    path = settings.path(settings.security.master_key_file)
    old = path.read_text()
    assert run(settings, "rewrap") == 0
    assert path.read_text() != old
    assert open_keys(settings).leaf_secret(AGENT) == secret
    assert {file.name for file in path.parent.iterdir()} == {"master.key", "agents.keys", "agents.lock"}


def test_a_rewrap_that_was_cut_short_is_finished(settings: Settings) -> None:
    store = open_keys(settings)
    secret = store.leaf_secret(AGENT)
    path = settings.path(settings.security.master_key_file)
    store.rewrap(load_or_create_master_key(path.with_suffix(".new")))
    with pytest.raises(VaultError, match="another master key"):
        open_keys(settings)
    assert run(settings, "rewrap") == 0
    assert open_keys(settings).leaf_secret(AGENT) == secret


def test_a_key_of_the_environment_is_exchanged_there(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONMOUTH_SECURITY__MASTER_KEY", "11" * 32)
    settings = Settings(state_dir=settings.state_dir)
    secret = open_keys(settings).leaf_secret(AGENT)
    assert run(settings, "rewrap") == 1
    monkeypatch.setenv("MONMOUTH_NEW_MASTER_KEY", "22" * 32)
    assert run(settings, "rewrap") == 0
    monkeypatch.setenv("MONMOUTH_SECURITY__MASTER_KEY", "22" * 32)
    assert open_keys(Settings(state_dir=settings.state_dir)).leaf_secret(AGENT) == secret


def test_a_wrong_master_key_does_not_pass_for_a_rewrap_cut_short(settings: Settings) -> None:
    open_keys(settings).get_or_create(AGENT)
    path = settings.path(settings.security.master_key_file)
    path.write_text("33" * 32)
    assert run(settings, "rewrap") == 1
    assert path.read_text() == "33" * 32
