"""The master key file, and that secrets stay secret."""

from __future__ import annotations

import copy
import pickle
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from streams.errors import ConfigurationError
from streams.master_key import MasterKey, load_or_create_master_key

AGENT, OTHER = b"a" * 20, b"b" * 20


def test_a_new_key_is_0600_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"
    first = load_or_create_master_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create_master_key(path).leaf_secret(AGENT) == first.leaf_secret(AGENT)
    assert [entry.name for entry in path.parent.iterdir()] == ["master.key"]


def test_processes_that_start_together_share_one_key(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    with ThreadPoolExecutor(8) as pool:
        secrets = set(pool.map(lambda _: load_or_create_master_key(path).leaf_secret(AGENT), range(32)))
    assert len(secrets) == 1


def test_secrets_differ_by_agent_and_installation(tmp_path: Path) -> None:
    one, two = (load_or_create_master_key(tmp_path / name) for name in ("one", "two"))
    found = {one.leaf_secret(AGENT), one.leaf_secret(OTHER), two.leaf_secret(AGENT)}
    assert len(found) == 3
    assert all(len(secret) == 32 for secret in found)


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
