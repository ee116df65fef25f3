"""Local state: overlay, compare-and-set, owners, rollback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import StoreError
from streams.runtime.occupancy import OccupiedError
from streams.runtime.state import NoState, StaleStateError, StandbyStore, StateStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    opened = StateStore(tmp_path / "s")
    yield opened
    opened.close()


def reopened(store: StateStore) -> StateStore:
    store.close()
    return StateStore(store._path)


def test_changes_are_seen_at_once_and_kept_only_by_commit(store: StateStore) -> None:
    store.put(b"a", b"1")
    assert store.get(b"a") == b"1"
    again = reopened(store)
    assert again.get(b"a") is None
    again.put(b"a", b"2")
    again.commit({"tip": b"x"}, "tip")
    third = reopened(again)
    assert (third.get(b"a"), third.slots()) == (b"2", {"tip": b"x"})
    third.close()


def test_state_kept_beside_other_stores_is_forgotten(store: StateStore) -> None:
    assert store.bind(b"one")
    store.put(b"a", b"1")
    store.commit({"tip": b"x"}, "tip")
    again = reopened(store)
    assert again.bind(b"one")
    assert (again.get(b"a"), again.slots()) == (b"1", {"tip": b"x"})
    assert not again.bind(b"another")
    assert (again.get(b"a"), again.slots()) == (None, {})
    again.put(b"a", b"2")
    again.commit({"tip": b"y"}, "tip")
    again.reset()
    third = reopened(again)
    assert not third.bind(b"one"), "also a reset keeps which stores it is about"
    third.close()


def test_state_that_was_never_bound_belongs_to_the_first_stores(store: StateStore) -> None:
    store.put(b"a", b"1")
    store.commit({"tip": b"x"}, "tip")
    assert store.bind(b"one")
    assert store.get(b"a") == b"1"
    assert not store.bind(b"another")


def test_state_that_was_never_bound_can_be_refused(store: StateStore) -> None:
    store.put(b"a", b"1")
    store.commit({"tip": b"x"}, "tip")
    assert not store.bind(b"one", adopt=False)
    assert (store.get(b"a"), store.slots()) == (None, {})
    assert store.bind(b"one", adopt=False)


def test_stores_can_go_by_another_name_from_now_on(store: StateStore) -> None:
    assert store.bind(b"one")
    store.put(b"a", b"1")
    store.commit({"tip": b"x"}, "tip")
    store.rebind(b"one, half done")
    again = reopened(store)
    assert again.bind(b"one, half done")
    assert again.get(b"a") == b"1"
    assert not again.bind(b"one")
    again.close()


def test_a_former_owner_cannot_bind(store: StateStore) -> None:
    taken = StateStore(store._path)
    with pytest.raises(StaleStateError, match="another owner"):
        store.bind(b"one")
    with pytest.raises(StaleStateError, match="another owner"):
        store.rebind(b"one")
    taken.close()


def test_a_former_owner_cannot_commit(store: StateStore) -> None:
    store.put(b"a", b"old")
    taken = StateStore(store._path)
    with pytest.raises(StaleStateError, match="another owner"):
        store.commit({}, "tip")
    with pytest.raises(StaleStateError):
        store.reset()
    assert taken.get(b"a") is None
    taken.close()


def test_a_commit_is_refused_where_the_slot_moved(store: StateStore) -> None:
    store.commit({"tip": b"1"}, "tip")
    twin = StateStore(store._path)
    twin._token = store._token = twin._token
    store.commit({"tip": b"2"}, "tip")
    with pytest.raises(StaleStateError, match="moved on"):
        twin.commit({"tip": b"3"}, "tip")
    twin.close()


def test_rollback_takes_back_one_part(store: StateStore) -> None:
    store.put(b"a", b"1")
    store.begin()
    store.put(b"a", b"2")
    store.put(b"b", b"2")
    store.delete(b"a")
    store.rollback()
    assert (store.get(b"a"), store.get(b"b")) == (b"1", None)
    store.begin()
    store.put(b"b", b"3")
    store.end()
    store.rollback()
    assert store.get(b"b") == b"3"


def test_reset_and_discard(store: StateStore) -> None:
    store.put(b"a", b"1")
    store.commit({"tip": b"x"}, "tip")
    store.put(b"a", b"2")
    store.discard()
    assert store.get(b"a") == b"1"
    store.reset()
    assert (store.get(b"a"), store.slots()) == (None, {})
    store.commit({"tip": b"y"}, "tip")


@pytest.mark.parametrize(
    "use", [lambda s: s.get(b"a"), lambda s: s.put(b"a", b""), lambda s: s.delete(b"a"), lambda s: s.scan(b"")]
)
def test_an_agent_that_declares_no_state_has_none(use) -> None:
    with pytest.raises(TypeError, match="keeps_state"):
        use(NoState())


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="local state"):
        StateStore(tmp_path / "file" / "s")


@given(
    st.lists(
        st.tuples(
            st.binary(min_size=1, max_size=3),
            st.none() | st.binary(max_size=3),
            st.sampled_from(["kept", "committed", "scanned", "taken back", "discarded"]),
        )
    ),
    st.binary(max_size=2),
)
def test_scan_is_the_sorted_view_of_what_was_set(tmp_path_factory, changes, prefix) -> None:
    store = StateStore(tmp_path_factory.mktemp("scan") / "s")
    model: dict[bytes, bytes] = {}
    durable: dict[bytes, bytes] = {}

    def seen() -> list[tuple[bytes, bytes]]:
        return sorted((k, v) for k, v in model.items() if k.startswith(prefix))

    for key, value, then in changes:
        if then == "taken back":
            store.begin()
        if value is None:
            store.delete(key)
        else:
            store.put(key, value)
        if then == "taken back":
            list(store.scan(prefix))
            store.rollback()
            continue
        model.pop(key, None)
        model |= {} if value is None else {key: value}
        if then == "committed":
            store.commit({}, "tip")
            durable = dict(model)
        elif then == "scanned":
            assert list(store.scan(prefix)) == seen()
        elif then == "discarded":
            store.discard()
            model = dict(durable)
    assert list(store.scan(prefix)) == seen()
    store.close()


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    StateStore(tmp_path / "local" / "memory" / "0").close()
    found = [tmp_path / "local" / "memory" / "0", *(tmp_path / "local" / "memory" / "0").iterdir()]
    assert len(found) == 4
    assert [path.name for path in found if path.stat().st_mode & 0o077] == []


def test_a_standby_enters_only_what_nobody_uses(store: StateStore) -> None:
    store.commit({"tip": b"1"}, "tip")
    with pytest.raises(OccupiedError, match="live owner"):
        StandbyStore(store._path)
    store.commit({"tip": b"2"}, "tip")  # it was not disturbed
    store.close()
    standby = StandbyStore(store._path)
    with pytest.raises(OccupiedError, match="another standby"):
        StandbyStore(store._path)
    standby.put(b"a", b"1")
    standby.commit({"tip": b"3"}, "tip")
    standby.close()
    StandbyStore(store._path).close()
    again = StateStore(store._path)
    assert (again.get(b"a"), again.slots()) == (b"1", {"tip": b"3"})
    again.close()


def test_an_owner_takes_the_state_from_a_standby_at_once(tmp_path: Path) -> None:
    standby = StandbyStore(tmp_path / "s")
    owner = StateStore(tmp_path / "s")
    with pytest.raises(StaleStateError, match="another owner"):
        standby.commit({}, "tip")
    standby.close()
    with pytest.raises(OccupiedError):
        StandbyStore(tmp_path / "s")
    owner.commit({"tip": b"1"}, "tip")
    owner.close()


def test_of_two_owners_the_last_one_to_go_frees_the_state(tmp_path: Path) -> None:
    paused, owner = StateStore(tmp_path / "s"), StateStore(tmp_path / "s")
    owner.close()
    with pytest.raises(OccupiedError):
        StandbyStore(tmp_path / "s")
    paused.close()
    StandbyStore(tmp_path / "s").close()


def test_a_killed_owner_is_no_owner(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from streams.runtime.state import StateStore; "
        "store = StateStore(Path(sys.argv[1])); print('here', flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", program, str(tmp_path / "s")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"here\n"
        with pytest.raises(OccupiedError, match="live owner"):
            StandbyStore(tmp_path / "s")
        process.kill()
        process.wait()
        StandbyStore(tmp_path / "s").close()
