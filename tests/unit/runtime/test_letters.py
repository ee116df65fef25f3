"""Dead letters: open until sent again or dropped, sent once, and never into a topic whose records are counted."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.codec import codec
from streams import topics
from streams.core.record import MARKER
from streams.errors import ConfigurationError
from streams.ports.log import LogError, TopicPartition
from streams.runtime.letters import LETTERS, RESENT, Letter, close, open_letters, resend, whole_record
from streams.upkeep.pipeline import stream_agents
from tests.fakelog import FakeBroker, FakeProducer

PREFIX = "t."
COMMANDS = TopicPartition(topics.COMMANDS, 0)


def letter(offset: int, topic: str = topics.COMMANDS, **fields: Any) -> tuple[bytes, bytes]:
    record = {
        "topic": PREFIX + topic,
        "partition": 0,
        "offset": offset,
        "stream_agent": "memory",
        "error": "PoisonError",
        "reason": "no",
        "attempts": 1,
        "key": b"k",
        "value": b"v%d" % offset,
        "truncated": False,
        "size": 2,
        **fields,
    }
    return f"{PREFIX}{topic}/0/{offset}".encode(), codec().encode("DeadLetter", record)


@pytest.fixture
def broker() -> FakeBroker:
    broker = FakeBroker(partitions=1)
    broker.append(LETTERS, [letter(1), letter(2), letter(5)])
    return broker


async def ids(broker: FakeBroker) -> list[str]:
    return [found.id.removeprefix(PREFIX) for found in await open_letters(broker.reader())]


async def test_a_letter_is_open_until_it_is_closed_and_again_if_its_record_is_refused_again(broker: FakeBroker) -> None:
    assert await ids(broker) == ["memory.commands/0/1", "memory.commands/0/2", "memory.commands/0/5"]
    await close(broker, (await open_letters(broker.reader()))[:2])
    assert await ids(broker) == ["memory.commands/0/5"]
    broker.append(LETTERS, [letter(1)])
    assert await ids(broker) == ["memory.commands/0/5", "memory.commands/0/1"]


async def test_a_record_is_sent_again_as_it_was_and_once(broker: FakeBroker) -> None:
    letters = await open_letters(broker.reader())
    await resend(broker, broker.reader(), letters[1:], PREFIX)
    assert broker.read(topics.COMMANDS, 0) == [(b"k", b"v2"), (b"k", b"v5")]
    assert await ids(broker) == ["memory.commands/0/1"]


async def test_a_failed_transaction_sends_nothing_and_closes_nothing(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: FakeProducer) -> None:
        raise LogError("gone")

    monkeypatch.setattr(FakeProducer, "commit", fail)
    with pytest.raises(LogError):
        await resend(broker, broker.reader(), await open_letters(broker.reader()), PREFIX)
    await broker.producer("dlq", 0).start()  # what the next tool does first: it ends what was left open
    assert broker.read(topics.COMMANDS, 0) == []
    assert len(await ids(broker)) == 3


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        (topics.TRANSACTIONS, "counted block by block"),
        ("other", "no topic of this"),
        *((topic, "no stream agent takes records from") for topic in (topics.CHECKPOINTS, topics.REPLAYS, topics.SCHEMAS)),
    ],
)
async def test_what_may_not_be_added_to_is_refused_before_anything_is_sent(broker: FakeBroker, topic: str, reason: str) -> None:
    broker.append(LETTERS, [letter(7, topic)])
    with pytest.raises(ConfigurationError, match=reason):
        await resend(broker, broker.reader(), await open_letters(broker.reader()), PREFIX)
    assert broker.read(topics.COMMANDS, 0) == []
    assert len(await ids(broker)) == 4


def test_what_may_be_sent_again_is_what_stream_agents_take_and_no_marker_counts() -> None:
    taken = {topic for agent in stream_agents() for topic in agent.inputs}
    unmarked = {topic for topic in taken if MARKER not in topics.TOPICS[topic].records}
    assert unmarked - set(topics.RETRIES) == RESENT  # a letter names the topic its record came from, never one it waited in


async def test_a_letter_that_holds_a_part_sends_the_whole_record_or_nothing(broker: FakeBroker) -> None:
    broker.append(COMMANDS, [(b"k", b"whole record")])
    cut = Letter("t.memory.commands/0/0", 3, codec().decode(letter(0, truncated=True, size=12)[1])[1])
    assert await whole_record(broker.reader(), cut, PREFIX) == (b"k", b"whole record")
    broker.first[COMMANDS] = 1
    with pytest.raises(ConfigurationError, match="holds 2 of 12 bytes"):
        await whole_record(broker.reader(), cut, PREFIX)


async def test_what_is_no_letter_is_passed_over(broker: FakeBroker) -> None:
    broker.append(LETTERS, [(b"x", b"garbage"), (None, b"garbage")])
    assert len(await ids(broker)) == 3
