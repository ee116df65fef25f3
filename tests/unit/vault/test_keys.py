"""The key store: made once, rotated, rewrapped, destroyed; what must be refused; other processes."""

from __future__ import annotations

import multiprocessing
import secrets
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from streams.vault import keys as keys_module
from streams.vault.errors import ErasedError, VaultError
from streams.vault.key_file import HEAD, SLOT
from streams.vault.keys import FileKeyStore
from streams.vault.master import MasterKey

MASTER = bytes(range(32))
AGENT, OTHER = b"a" * 20, b"b" * 20


def opened(path: Path, master: bytes = MASTER) -> FileKeyStore:
    return FileKeyStore(path, lambda: MasterKey(master))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "agents.keys"


def test_a_key_is_made_once_and_found_again(path: Path) -> None:
    store = opened(path)
    assert store.get(AGENT) is None
    made = store.get_or_create(AGENT)
    for again in (store, opened(path)):
        found = again.get(AGENT)
        assert found is not None
        assert (found.newest.key_id, found.leaf_secret) == (made.newest.key_id, made.leaf_secret)
    assert store.get_or_create(OTHER).leaf_secret != made.leaf_secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_in_the_file_is_a_key(path: Path) -> None:
    store = opened(path)
    made = store.get_or_create(AGENT)
    assert made.leaf_secret not in path.read_bytes()
    assert made.leaf_secret.hex() not in repr(made)


def _make(path: str, agents: list[bytes]) -> list[bytes]:
    store = opened(Path(path))
    return [store.get_or_create(agent).leaf_secret for agent in agents]


def test_processes_and_threads_that_meet_an_agent_together_share_its_key(path: Path) -> None:
    agents = [secrets.token_bytes(20) for _ in range(12)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.starmap(_make, [(str(path), agents), (str(path), agents[::-1])])
    store = opened(path)
    with ThreadPoolExecutor(4) as threads:
        here = list(threads.map(lambda agent: store.get_or_create(agent).leaf_secret, agents))
    assert found[0] == found[1][::-1] == here
    assert (path.stat().st_size - HEAD) // SLOT == len(agents)


def test_many_are_prepared_in_one_write(path: Path) -> None:
    store = opened(path)
    agents = [index.to_bytes(20, "big") for index in range(300)]
    store.prepare(agents)
    store.prepare(agents)
    assert (path.stat().st_size - HEAD) // SLOT == 300
    assert opened(path).get(agents[299]) is not None


def test_rotation_seals_with_the_new_and_opens_both(path: Path) -> None:
    store, beside = opened(path), opened(path)
    first = store.get_or_create(AGENT)
    assert beside.get(AGENT) is not None
    old = first.newest.seal(b"place", b"text")
    second = store.rotate(AGENT)
    assert (second.newest.version, sorted(second.boxes)) == (2, [1, 2])
    assert second.leaf_secret == first.leaf_secret
    beside.refresh()
    there = beside.get(AGENT)
    assert there is not None
    assert there.newest.version == 2
    assert there.boxes[1].open(b"place", old) == b"text"
    assert second.newest.seal(b"place", b"text") != old


def test_destroyed_is_gone_from_the_file_and_for_good(path: Path) -> None:
    store = opened(path)
    kept = store.get_or_create(OTHER)
    made = store.get_or_create(AGENT)
    store.rotate(AGENT)
    before = path.read_bytes()
    ids = store.destroy(AGENT)
    assert ids[0] == made.newest.key_id
    assert len(ids) == 2
    after = path.read_bytes()
    slots = [before[HEAD + SLOT * i : HEAD + SLOT * (i + 1)] for i in (1, 2)]
    assert all(slot[33 : 33 + 92] not in after for slot in slots)
    assert store.destroy(AGENT) == ids
    for handle in (store, opened(path)):
        assert handle.erased(AGENT)
        for use in (handle.get, handle.get_or_create, handle.rotate):
            with pytest.raises(ErasedError, match="was erased"):
                use(AGENT)
        handle.prepare([AGENT])
        found = handle.get(OTHER)
        assert found is not None
        assert found.leaf_secret == kept.leaf_secret
    assert path.read_bytes() == after


def test_an_agent_without_a_key_can_be_destroyed_and_gets_none_later(path: Path) -> None:
    store = opened(path)
    assert store.destroy(AGENT) == [bytes(8)]
    with pytest.raises(ErasedError):
        opened(path).get_or_create(AGENT)


def test_another_process_drops_a_destroyed_key_at_its_next_glance(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "GLANCE", 0.0)
    store, beside = opened(path), opened(path)
    beside.get_or_create(AGENT)
    store.destroy(AGENT)
    with pytest.raises(ErasedError):
        beside.get(AGENT)


def test_rewrapped_for_a_new_master_key(path: Path) -> None:
    new, given = secrets.token_bytes(32), [MASTER]
    store = opened(path)
    beside = FileKeyStore(path, lambda: MasterKey(given[0]))
    made = store.get_or_create(AGENT)
    store.destroy(OTHER)
    old = path.read_bytes()
    assert store.rewrap(MasterKey(new)) == 2
    assert old[HEAD + 33 : HEAD + 125] not in path.read_bytes()
    given[0] = new
    beside.refresh()
    for handle in (store, beside, opened(path, new)):
        found = handle.get(AGENT)
        assert found is not None
        assert found.leaf_secret == made.leaf_secret
        assert handle.erased(OTHER)
    with pytest.raises(VaultError, match="another master key"):
        opened(path)


def test_a_process_that_still_has_the_old_master_key_says_so(path: Path) -> None:
    store, beside = opened(path), opened(path)
    store.get_or_create(AGENT)
    store.rewrap(MasterKey(bytes(32)))
    with pytest.raises(VaultError, match="another master key"):
        beside.refresh()


def test_spoilt_files_are_refused(path: Path) -> None:
    store = opened(path)
    store.get_or_create(AGENT)
    store.destroy(OTHER)
    good = path.read_bytes()

    def spoilt(at: int, byte: int) -> FileKeyStore:
        path.write_bytes(good[:at] + bytes([byte]) + good[at + 1 :])
        return opened(path)

    with pytest.raises(VaultError, match="no file of agents' keys"):
        spoilt(0, 0)
    with pytest.raises(VaultError, match="does not unwrap"):
        spoilt(HEAD + 40, good[HEAD + 40] ^ 1).get(AGENT)
    with pytest.raises(VaultError, match="neither a key"):  # the mark of an agent that was never erased
        spoilt(HEAD + SLOT + 1, good[HEAD + SLOT + 1] ^ 1)
    with pytest.raises(VaultError, match="neither a key"):
        spoilt(HEAD, 9)


def test_a_torn_append_is_passed_over_and_written_over(path: Path) -> None:
    store = opened(path)
    made = store.get_or_create(AGENT)
    with path.open("ab") as file:
        file.write(b"\x01torn")
    again = opened(path)
    found = again.get(AGENT)
    assert found is not None
    assert found.leaf_secret == made.leaf_secret
    again.get_or_create(OTHER)
    assert opened(path).get(OTHER) is not None
