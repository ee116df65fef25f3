"""Records to entries, cursors to text and back, and what an UNDO took back, against a plain fold of the log."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import codec, using
from streams.core.block import BlockRef, Step
from streams.core.marker import Marker
from streams.errors import LogIntegrityError
from streams.serving.faults import BadRequestError
from streams.serving.feed.cursor import LARGEST, Cursor
from streams.serving.feed.entries import Entry, FactEntry, NewerEntry, entry_of
from streams.serving.feed.lookback import Lookback
from streams.signing import Verifier
from streams.topics import MEMORY_LOG
from streams.vault.keys import FileKeyStore
from streams.vault.master import MasterKey
from streams.vault.sealing import SealingCodec
from tests.chainlog import VERIFIER
from tests.feeds import Facts, Record
from tests.steps import block
from tests.unit.serving.world import ALICE, upsert

PLACES = st.integers(0, LARGEST)


@given(PLACES, PLACES, PLACES)
def test_cursors_print_and_parse(partition: int, offset: int, sent: int) -> None:
    cursor = Cursor(partition, offset, sent)
    assert Cursor.parse(str(cursor)) == cursor


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "1.2.3.4", "-1.2.3", "1.2.x", " 1.2.3", "1.2.3\n", "١.2.3", f"0.{LARGEST + 1}.0", "9" * 40]
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(BadRequestError):
        Cursor.parse(text)


def test_records_become_entries_and_garbage_none() -> None:
    fact = upsert(ALICE, block(1, 0, bytes(32)), 0, "x")
    encoded = codec().encode("MemoryFact", fact)
    entry = entry_of(Record(0, 7, ALICE, encoded), 0, VERIFIER)
    assert entry is not None
    assert entry.offset == 7
    assert isinstance(entry.body, FactEntry)
    assert (entry.body.kind, entry.body.owner) == ("memory.stored", ALICE)
    assert fact["memory"] is not None
    amended = codec().encode("MemoryFact", {**fact, "memory": {**fact["memory"], "form": "AMENDMENT"}})
    body = getattr(entry_of(Record(0, 7, ALICE, amended), 0, VERIFIER), "body", None)
    assert isinstance(body, FactEntry)
    assert body.kind == "memory.amended"
    for garbage in (None, b"", b"hello", encoded[:-3], codec().encode("Memory", fact["memory"])):
        assert entry_of(Record(0, 8, None, garbage), 0, VERIFIER) is None
    newer = entry_of(Record(0, 9, None, b"\0" + (codec().newest + 1).to_bytes(4, "big") + b"rest"), 0, VERIFIER)
    assert newer is not None
    assert isinstance(newer.body, NewerEntry)


def test_a_marker_counts_only_with_its_signature_and_in_its_place() -> None:
    facts, ref = Facts(), block(1, 0, bytes(32))
    value = facts.marker(Step.NEW, 1, ref, ref)
    entry = entry_of(Record(1, 0, None, value), 1, VERIFIER)
    assert entry is not None
    assert isinstance(entry.body, Marker)
    with pytest.raises(LogIntegrityError, match=r"a marker of memory\.log/1"):
        entry_of(Record(0, 0, None, value), 0, VERIFIER)
    with pytest.raises(LogIntegrityError, match="unknown key"):
        entry_of(Record(1, 0, None, value), 1, Verifier([]))
    with pytest.raises(LogIntegrityError):
        entry_of(Record(1, 0, None, value[:-1] + bytes([value[-1] ^ 1])), 1, VERIFIER)


def marker(step: Step, ref: BlockRef, removed: tuple[BlockRef, ...] = ()) -> Marker:
    return Marker(step, 1, 0, MEMORY_LOG, 0, ref, ref, removed=removed)


@settings(deadline=None)
@given(st.lists(st.one_of(st.integers(0, 3), st.tuples(st.integers(1, 4), st.booleans())), max_size=30), st.integers(1, 4))
def test_what_an_undo_took_back_is_what_the_fold_of_the_log_says(moves: list[int | tuple[int, bool]], depth: int) -> None:
    """An integer is a block with so many facts; a pair undoes blocks, and may bring the same ones back."""
    chain: list[tuple[BlockRef, list[FactEntry]]] = []
    log: list[Entry] = []
    genesis = block(0, 0, bytes(32))

    def add(body: FactEntry | Marker) -> None:
        log.append(Entry(len(log), body))

    def grow(ref: BlockRef, facts: list[FactEntry]) -> None:
        for fact in facts:
            add(fact)
            add(FactEntry("memory.stored", ALICE, b"command", None))
        add(marker(Step.NEW, ref))
        chain.append((ref, facts))

    def undo(count: int) -> list[tuple[BlockRef, list[FactEntry]]]:
        gone = chain[len(chain) - count :]
        del chain[len(chain) - count :]
        return gone

    for seen, move in enumerate(moves, 1):
        if isinstance(move, int):
            parent = chain[-1][0] if chain else genesis
            ref = block(parent.number + 1, seen, parent.hash)
            grow(ref, [FactEntry("memory.stored", ALICE, b"%d/%d" % (seen, n), ref) for n in range(move)])
            if seen % 3 == 0:
                add(marker(Step.FINAL, ref))
        else:
            gone = undo(min(move[0], len(chain)))
            if gone:
                add(marker(Step.UNDO, gone[-1][0], tuple(ref for ref, _ in reversed(gone))))
                if move[1]:
                    for ref, facts in gone:
                        grow(ref, facts)
    gone = undo(min(depth, len(chain)))
    lookback = Lookback([ref for ref, _ in reversed(gone)])
    for entry in reversed(log):
        lookback.take(entry)
    assert lookback.facts == [fact for _, facts in reversed(gone) for fact in reversed(facts)]


def test_a_log_that_does_not_fit_its_undo_is_an_error() -> None:
    first, other = block(1, 0, bytes(32)), block(1, 1, bytes(32))
    lookback = Lookback([first])
    with pytest.raises(LogIntegrityError, match="stands where an UNDO removes"):
        lookback.take(Entry(0, marker(Step.NEW, other)))


def test_what_is_sealed_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose it is and what happened stand in the clear, so that no agent's content is opened to be dropped."""
    keys = FileKeyStore(tmp_path / "keys", lambda: MasterKey(bytes(32)))
    with using(SealingCodec(keys)):
        keys.prepare([ALICE])
        fact = upsert(ALICE, block(1, 0, bytes(32)), 0, "a secret")
        value = codec().encode("MemoryFact", fact)
        assert b"a secret" not in value
        monkeypatch.setattr(SealingCodec, "_open", None)
        entry = entry_of(Record(0, 7, ALICE, value), 0, VERIFIER)
    assert entry == Entry(7, FactEntry("memory.stored", ALICE, fact["memory_id"], block(1, 0, bytes(32))))
    keys.close()
