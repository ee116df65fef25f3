"""The schema of a history: one event a line, as JSON with a ``type`` field.

Every event has ``at``, seconds on the recorder's one clock. ``id`` names a record by its content (any text; equal ids are the
same record), ``block`` a block by its hash, ``process`` who did it. A position is the next offset to read, as in Kafka.
Operations come in the order in which the recorder saw them; what was left behind (``log``, ``entry``, ``marker``, ``row``,
``due``, ``distinct``) follows at the end, entries and markers of a partition by offset.
Invariant: an event that does not fit the schema is refused, never half read.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Offset = Annotated[int, Field(ge=0)]


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    at: float = 0.0


class _Placed(_Event):
    topic: str
    partition: Offset


class Send(_Placed):
    """``process`` wrote record ``id`` in a transaction; whether it counts, an ``ack`` or ``abort`` says, or nobody knows.

    ``offset``: the broker's answer, if there was one. A write outside transactions is a transaction of its own.
    """

    type: Literal["send"] = "send"
    process: str
    transaction: str
    id: str
    offset: Offset | None = None


class Ack(_Event):
    """The transaction is committed, for sure."""

    type: Literal["ack"] = "ack"
    transaction: str


class Abort(_Event):
    """The transaction is aborted, for sure."""

    type: Literal["abort"] = "abort"
    transaction: str


class Assign(_Placed):
    """A rebalance or seek: what ``process`` reads next of this partition begins at ``position``."""

    type: Literal["assign"] = "assign"
    process: str
    position: Offset


class Poll(_Placed):
    """``process`` read these (offset, id), in this order."""

    type: Literal["poll"] = "poll"
    process: str
    records: tuple[tuple[Offset, str], ...]


class Applied(_Placed):
    """A group processed the records at these offsets and the effects became visible."""

    type: Literal["applied"] = "applied"
    group: str
    offsets: tuple[Offset, ...]


class Commit(_Placed):
    """The position of a group in a partition became ``position``."""

    type: Literal["commit"] = "commit"
    group: str
    position: Offset


class Work(_Event):
    """A group handed ``records`` more records to its code, whatever became of them: repeats and replays included."""

    type: Literal["work"] = "work"
    group: str
    records: Offset


class Kill(_Event):
    """A fault struck ``process``: recovery counts from here. ``fault``: which."""

    type: Literal["kill"] = "kill"
    process: str
    fault: str


class Start(_Event):
    """``process`` was started, or went on after a pause."""

    type: Literal["start"] = "start"
    process: str


class Redo(_Event):
    """A replay of ``group`` was asked for: from here on its positions may go back, and its work be done again."""

    type: Literal["redo"] = "redo"
    group: str


class Answer(_Event):
    """``process`` got rows (id, block or None) of a reader that had seen the chain from notification ``sequence`` to ``until``.

    It had surely seen the first; the second is the newest there was when the answer came.
    """

    type: Literal["answer"] = "answer"
    process: str
    sequence: int
    until: int
    rows: tuple[tuple[str, str | None], ...]


class Digest(_Event):
    """``source`` says the state of ``subject`` at ``block`` has this digest."""

    type: Literal["digest"] = "digest"
    source: str
    subject: str
    block: str
    value: str


class Log(_Placed):
    """A partition was read whole, read_committed, from ``start`` up to ``end``; its entries and markers are in the history."""

    type: Literal["log"] = "log"
    start: Offset
    end: Offset


class Entry(_Placed):
    """A record of a whole log. ``block`` None: outside blocks. ``value``: bytes as hex where a marker must vouch for them.

    ``order``: place of its cause in the source (such as transaction index); per key it must not fall within the blocks that
    stand. None where it has none.
    """

    type: Literal["entry"] = "entry"
    offset: Offset
    id: str
    key: str | None = None
    block: str | None = None
    value: str = ""
    order: tuple[int, ...] | None = None


class Marker(_Placed):
    """A marker of a whole log. ``removed``: newest first. ``digest``: as signed."""

    type: Literal["marker"] = "marker"
    offset: Offset
    step: Literal["NEW", "UNDO", "FINAL"]
    sequence: int
    block: str
    parent: str = ""
    count: Offset = 0
    digest: str = ""
    removed: tuple[str, ...] = ()
    ancestor: str | None = None


class Row(_Event):
    """``sink`` holds record ``id``, which came from ``block``, at the end."""

    type: Literal["row"] = "row"
    sink: str
    id: str
    block: str | None = None


class Due(_Event):
    """The oracle says ``sink`` must hold record ``id`` exactly once at the end."""

    type: Literal["due"] = "due"
    sink: str
    id: str


class Chain(_Placed):
    """Names the partition whose markers say which blocks stand for every sink and answer."""

    type: Literal["chain"] = "chain"


class Distinct(_Event):
    """A group's inputs held so many distinct records."""

    type: Literal["distinct"] = "distinct"
    group: str
    records: Offset


Event = (
    Send | Ack | Abort | Assign | Poll | Applied | Commit | Work | Kill | Start | Redo | Answer | Digest | Log | Entry | Marker
    | Row | Due | Chain | Distinct
)  # fmt: skip

EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
