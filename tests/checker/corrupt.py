"""Single corruptions, one per anomaly class (or more): each takes a clean history and a choice, and returns a wrong one.

``choice`` picks where. A corruption gives None where the history has nothing it could spoil.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from tests.checker.events import Abort, Ack, Answer, Applied, Chain, Commit, Digest, Due, Entry, Event, Marker, Poll, Row, Send
from tests.checker.history import History, Place
from tests.checker.standing import fold, undone

T = TypeVar("T")
Corruption = Callable[[History, int], "History | None"]


def pick(items: Sequence[T], choice: int) -> T | None:
    return items[choice % len(items)] if items else None


def swap(history: History, old: Event, *new: Event) -> History:
    """With one event replaced, wherever it is."""
    return History(tuple(e for event in history.events for e in (new if event is old else (event,))))


def changed(event: T, **fields: object) -> T:
    return event.model_copy(update=fields)  # type: ignore[attr-defined, no-any-return]


def lost_write(history: History, choice: int) -> History | None:
    """An acknowledged record vanishes from log, readers and work alike; its marker never counted it."""
    entry = pick([e for e in history.of(Entry) if e.block is None], choice)
    return swap(history, entry) if entry else None


def duplicate(history: History, choice: int) -> History | None:
    """A record outside blocks is there twice."""
    entry = pick([e for e in history.of(Entry) if e.block is None], choice)
    return swap(history, entry, entry, changed(entry, offset=entry.offset + 1)) if entry else None


def aborted_read(history: History, choice: int) -> History | None:
    """A transaction whose records were read turns out to have been aborted."""
    read = {(e.topic, e.id) for e in history.of(Entry)}
    sends: dict[str, int] = {}
    for send in history.of(Send):
        sends[send.id] = sends.get(send.id, 0) + 1
    once = {s.transaction for s in history.of(Send) if (s.topic, s.id) in read and sends[s.id] == 1}
    ack = pick([a for a in history.of(Ack) if a.transaction in once], choice)
    return swap(history, ack, Abort(at=ack.at, transaction=ack.transaction)) if ack else None


def inconsistent_offset(history: History, choice: int) -> History | None:
    """A reader saw another record at an offset."""
    poll = pick([p for p in history.of(Poll) if p.records], choice)
    if poll is None:
        return None
    (offset, _), *others = poll.records
    return swap(history, poll, changed(poll, records=((offset, "other"), *others)))


def poll_skip(history: History, choice: int) -> History | None:
    """A reader misses one record in the middle of a poll."""
    poll = pick([p for p in history.of(Poll) if len(p.records) > 2], choice)
    return swap(history, poll, changed(poll, records=(poll.records[0], *poll.records[2:]))) if poll else None


def nonmonotonic_poll(history: History, choice: int) -> History | None:
    """A reader gets a poll twice."""
    poll = pick([p for p in history.of(Poll) if p.records], choice)
    return swap(history, poll, poll, changed(poll, at=poll.at)) if poll else None


def stale_row(history: History, choice: int) -> History | None:
    """A sink keeps a row of a block that was undone for good."""
    gone = _gone(history)
    row = pick([r for r in history.of(Row) if r.block is not None], choice)
    return swap(history, row, changed(row, block=gone)) if row and gone else None


def stale_answer(history: History, choice: int) -> History | None:
    """An answer holds a row of an undone block, after the undo."""
    gone = _gone(history)
    answer = pick([a for a in history.of(Answer) if gone and gone in _undone_by(history, a.sequence)], choice)
    return swap(history, answer, changed(answer, rows=(*answer.rows, ("ghost", gone)))) if answer and gone else None


def _changes(history: History) -> dict[str, list[tuple[int, bool]]]:
    chain = history.of(Chain)[0]
    return undone(history.logs[Place(chain.topic, chain.partition)])


def _gone(history: History) -> str | None:
    return pick([block for block, changes in _changes(history).items() if not changes[-1][1]], 0)


def _undone_by(history: History, sequence: int) -> set[str]:
    return {
        block for block, changes in _changes(history).items() if [now for at, now in changes if at <= sequence][-1:] == [False]
    }


def lost_row(history: History, choice: int) -> History | None:
    """A row the oracle asks for is missing."""
    row = pick(history.of(Row), choice)
    return swap(history, row) if row else None


def doubled_row(history: History, choice: int) -> History | None:
    """A row is there twice."""
    row = pick(history.of(Row), choice)
    return swap(history, row, row, changed(row, at=row.at)) if row else None


def unknown_row(history: History, choice: int) -> History | None:
    """A row is there that nothing led to."""
    due = pick(history.of(Due), choice)
    return swap(history, due) if due and len(history.of(Due)) > 1 else None


def commit_hole(history: History, choice: int) -> History | None:
    """The group committed past a record that it never applied."""
    applied = pick(history.of(Applied), choice)
    return swap(history, applied, changed(applied, offsets=applied.offsets[1:])) if applied else None


def commit_back(history: History, choice: int) -> History | None:
    """The position of a group falls."""
    commit = pick([c for c in history.of(Commit) if c.position > 0], choice)
    return swap(history, commit, commit, changed(commit, position=commit.position - 1)) if commit else None


def key_order(history: History, choice: int) -> History | None:
    """Of two records of a key that stand, the later one has the earlier cause."""
    pairs = []
    for items in history.logs.values():
        last: dict[str, Entry] = {}
        for entry in fold(items).entries:
            if entry.key is not None and entry.order is not None:
                if entry.key in last:
                    pairs.append((last[entry.key], entry))
                last[entry.key] = entry
    pair = pick(pairs, choice)
    return swap(history, pair[1], changed(pair[1], order=(-1,))) if pair else None


def key_home(history: History, choice: int) -> History | None:
    """A key is in a partition that is not its own."""
    entry = pick([e for e in history.of(Entry) if e.block is None], choice)
    if entry is None:
        return None
    others = [fold(items).entries for place, items in history.logs.items() if (entry.topic, entry.partition) != place]
    keys = {e.key for entries in others for e in entries if e.topic == entry.topic and e.key}
    return swap(history, entry, changed(entry, key=min(keys))) if keys else None


def _marker(**wrong: object) -> Corruption:
    def corruption(history: History, choice: int) -> History | None:
        """A marker says something else than the log."""
        marker = pick([m for m in history.of(Marker) if m.step == "NEW" and m.parent != "genesis"], choice)
        return swap(history, marker, changed(marker, **wrong)) if marker else None

    return corruption


def altered_value(history: History, choice: int) -> History | None:
    """A record of a block is not what its writer wrote."""
    entry = pick([e for e in history.of(Entry) if e.block is not None], choice)
    return swap(history, entry, changed(entry, value=entry.value + "00")) if entry else None


def wrong_undo(history: History, choice: int) -> History | None:
    """An undo removes a block that is not the tip."""
    marker = pick([m for m in history.of(Marker) if m.step == "UNDO"], choice)
    return swap(history, marker, changed(marker, removed=("elsewhere",))) if marker else None


def digest_mismatch(history: History, choice: int) -> History | None:
    """A replica's state is another."""
    digest = pick([d for d in history.of(Digest) if d.source == "agent"], choice)
    return swap(history, digest, changed(digest, value="0" * 64)) if digest else None


CORRUPTIONS: dict[str, tuple[str, Corruption]] = {
    "a lost write": ("lost write", lost_write),
    "a duplicate": ("duplicate", duplicate),
    "an aborted read": ("aborted read", aborted_read),
    "an inconsistent offset": ("inconsistent offset", inconsistent_offset),
    "a poll skip": ("poll skip", poll_skip),
    "a poll twice": ("non-monotonic poll", nonmonotonic_poll),
    "a stale row": ("stale row", stale_row),
    "a stale answer": ("stale row", stale_answer),
    "a lost row": ("lost row", lost_row),
    "a doubled row": ("doubled row", doubled_row),
    "a row of nothing": ("doubled row", unknown_row),
    "a commit hole": ("commit hole", commit_hole),
    "a commit back": ("commit back", commit_back),
    "an order swapped": ("key order", key_order),
    "a key elsewhere": ("key order", key_home),
    "a wrong count": ("marker mismatch", _marker(count=99)),
    "a wrong digest": ("marker mismatch", _marker(digest="00" * 32)),
    "a wrong sequence": ("marker mismatch", _marker(sequence=10**6)),
    "a wrong parent": ("marker mismatch", _marker(parent="elsewhere")),
    "an altered value": ("marker mismatch", altered_value),
    "a wrong undo": ("marker mismatch", wrong_undo),
    "another state": ("digest mismatch", digest_mismatch),
}
"""By what is wrong, the class that must see it."""
