"""Where the master key comes from, and that secrets stay secret."""

from __future__ import annotations

import copy
import pickle
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr

from streams.errors import ConfigurationError
from streams.policy import views
from streams.settings import Settings
from streams.vault.errors import VaultError
from streams.vault.master import (
    MasterKey,
    ProgramWrapper,
    circuit_name,
    load_or_create_master_key,
    load_or_create_wrapped,
    open_master_key,
)

AGENT, OTHER = b"a" * 20, b"b" * 20


def test_a_new_key_is_0600_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"
    first = load_or_create_master_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_master_key(path).mark(AGENT) == first.mark(AGENT)
    assert [entry.name for entry in path.parent.iterdir()] == ["master.key"]


def test_processes_that_start_together_share_one_key(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(lambda _: load_or_create_master_key(path).mark(AGENT), range(32)))
    assert len(secrets) == 1


def test_what_one_key_wraps_only_it_unwraps_and_only_under_its_name(tmp_path: Path) -> None:
    one, two = (load_or_create_master_key(tmp_path / name) for name in ("one", "two"))
    wrapped = one.wrap(b"secret", AGENT)
    assert one.unwrap(wrapped, AGENT) == b"secret"
    assert one.wrap(b"secret", AGENT) != wrapped
    for key, name in ((two, AGENT), (one, OTHER)):
        with pytest.raises(VaultError, match="does not unwrap"):
            key.unwrap(wrapped, name)
    with pytest.raises(VaultError):
        one.unwrap(b"short", AGENT)
    assert one.mark(AGENT) != two.mark(AGENT)


KEEPER = """
import sys
pad = bytes(range(100, 132))
sys.stdout.buffer.write(bytes(a ^ b for a, b in zip(sys.stdin.buffer.read(), pad)))
open(sys.argv[1], "a").write(sys.argv[2] + " ")
"""


def test_a_program_keeps_the_key_that_wraps_the_master_key(tmp_path: Path) -> None:
    program, calls, path = tmp_path / "keeper.py", tmp_path / "calls", tmp_path / "master.wrapped"
    program.write_text(KEEPER)
    wrapper = ProgramWrapper([sys.executable, str(program), str(calls)])
    first = load_or_create_wrapped(path, wrapper)
    assert load_or_create_wrapped(path, wrapper).mark(AGENT) == first.mark(AGENT)
    assert calls.read_text().split() == ["wrap", "unwrap", "unwrap"]
    name = circuit_name([sys.executable, str(program), str(calls)])
    assert name in [view.name for view in views()], "its circuit is in the register while somebody holds the program"
    assert str(calls) not in name
    with pytest.raises(VaultError):  # what lies in the file is not the key itself
        load_or_create_master_key(path).unwrap(first.wrap(b"secret", AGENT), AGENT)


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "pass", "print('00' * 32)"])
def test_a_program_that_fails_or_answers_nonsense_is_refused_without_its_words(tmp_path: Path, code: str) -> None:
    path = tmp_path / "master.wrapped"
    path.write_text("ab" * 32)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        load_or_create_wrapped(path, ProgramWrapper([sys.executable, "-c", code]))
    assert "00" * 8 not in str(caught.value)


def test_a_program_that_fails_for_a_moment_is_asked_again(tmp_path: Path) -> None:
    program, calls, path = tmp_path / "keeper.py", tmp_path / "calls", tmp_path / "master.wrapped"
    calls.touch()
    program.write_text(KEEPER + "raise SystemExit(len(open(sys.argv[1]).read().split()) < 3)")
    load_or_create_wrapped(path, ProgramWrapper([sys.executable, str(program), str(calls)]))
    assert calls.read_text().split() == ["wrap"] * 3 + ["unwrap"]


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="did not wrap"):
        load_or_create_wrapped(tmp_path / "key", ProgramWrapper([str(tmp_path / "nothing")]))


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    from_file = open_master_key(settings)
    settings.security.master_key = SecretStr("11" * 32)
    assert open_master_key(settings).mark(AGENT) == MasterKey(bytes.fromhex("11" * 32)).mark(AGENT) != from_file.mark(AGENT)
    settings.security.master_key = SecretStr("11" * 31)
    with pytest.raises(ConfigurationError, match="64 hex digits") as caught:
        open_master_key(settings)
    assert "1111" not in str(caught.value)


def test_no_secret_in_repr_or_pickle(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    key = load_or_create_master_key(path)
    digits = path.read_text().strip()
    for text in (repr(key), str(key), f"{key!r:>200}"):
        assert digits[:16] not in text
        assert repr(bytes.fromhex(digits))[2:20] not in text
    for export in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            export(key)


def test_a_key_open_to_others_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    load_or_create_master_key(path)
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_or_create_master_key(path)


@pytest.mark.parametrize("text", ["", "zz" * 32, "ab" * 31, "ab" * 33])
def test_a_spoilt_key_is_refused_without_telling_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "master.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="64 hex digits") as caught:
        load_or_create_master_key(path)
    assert not text or text not in str(caught.value)


def test_an_unusable_place_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path, tmp_path / "file" / "master.key"):
        with pytest.raises(ConfigurationError):
            load_or_create_master_key(path)


def test_key_size() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        MasterKey(b"short")
