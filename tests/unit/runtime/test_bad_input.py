"""Bad input: dead letters where a record stands alone, a stop where markers speak, a named gap where a position is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.codec import codec
from streams import topics
from streams.errors import LogIntegrityError, OutdatedError, PoisonError, PositionLostError
from streams.ports.log import TopicPartition
from streams.runtime import metrics
from streams.signing import Signer
from tests.chainlog import ChainLog, KeyValue, address
from tests.fakelog import FakeBroker
from tests.samples import SAMPLES
from tests.toys import POISON, expected_output, factory, live_output
from tests.unit.runtime.driving import Tally, caught_up, check_tally, count, publish, settings, until, worker

TX = TopicPartition(topics.TRANSACTIONS, 0)
COMMANDS = TopicPartition(topics.COMMANDS, 0)


def letters(broker: FakeBroker) -> list[dict]:
    return [codec().decode(value)[1] for _, value in broker.read(topics.DLQ, 0)]


def command(**fields: object) -> tuple[bytes, bytes]:
    record = {**SAMPLES["MemoryCommand"], **fields}
    return record["agent"], codec().encode("MemoryCommand", record)


async def test_garbage_commands_become_dead_letters(tmp_path: Path) -> None:
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    chain.add([1])
    publish(broker, chain)
    unknown = b"\0" + (9999).to_bytes(4, "big") + b"body"
    big = b"\0" * (2 * 1024 * 1024)
    wrong_type = codec().encode("Intent", SAMPLES["Intent"])
    bad = [(b"k", b"junk"), (b"k", unknown), (b"k", big), (b"k", wrong_type), (b"k", None), command(content=POISON)]
    broker.append(COMMANDS, [command(), *bad, command()])
    counted = metrics.DEAD_LETTERS.labels("tally")._value.get()
    errors = count(PoisonError)
    async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally", topics.TRANSACTIONS, topics.COMMANDS), task)
    assert metrics.DEAD_LETTERS.labels("tally")._value.get() == counted + 6
    assert count(PoisonError) == errors + 6, "each once, though the last one closed the partition first"
    found = letters(broker)
    assert sorted(letter["offset"] for letter in found) == [1, 2, 3, 4, 5, 6]
    by_offset = {letter["offset"]: letter for letter in found}
    assert by_offset[1]["value"] == b"junk"
    assert by_offset[1]["topic"] == "t.memory.commands"
    assert "unknown schema id 9999" in by_offset[2]["reason"]
    assert (by_offset[3]["size"], by_offset[3]["truncated"], len(by_offset[3]["value"])) == (len(big), True, 65_536)
    assert by_offset[6]["error"] == "PoisonError"
    check_tally(broker, chain)


async def test_poison_inside_a_block_goes_alone_and_stays_out_of_the_rewind(tmp_path: Path) -> None:
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    chain.add([1, 2])
    chain.add([1, 3], input=POISON)
    chain.add([1, 2, 4])
    publish(broker, chain)
    config = settings(tmp_path)
    async with worker(broker, config, [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        assert len(letters(broker)) == 2
        output = live_output(broker.read(topics.INTENTS, 0), topics.INTENTS, 0)
        assert output == expected_output(chain, 0, counted=True)
        since = chain.sequence
        chain.undo(2)
        chain.add([5])
        publish(broker, chain, since)
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)
    assert len(letters(broker)) == 2


NEXT = codec().newest + 1
FUTURE = b"\0" + NEXT.to_bytes(4, "big") + b"body"
"""A record of a version that is not known yet."""


async def test_bytes_that_the_marker_vouches_for_and_no_schema_fits_are_dead_letters(tmp_path: Path) -> None:
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    chain.add([1])
    vouched = vouching(chain, b"no record at all")
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    assert [letter["value"] for letter in letters(broker)] == [b"no record at all"]
    output = live_output(broker.read(topics.INTENTS, 0), topics.INTENTS, 0)
    assert [ref for ref, _ in output] == [chain.blocks[0][0], vouched]


@pytest.mark.parametrize("key", [address(1), None])
async def test_a_record_or_marker_of_a_newer_version_stops_the_reader_and_nothing_is_skipped(
    tmp_path: Path, key: bytes | None
) -> None:
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    chain.add([1])
    publish(broker, chain)
    config = settings(tmp_path)
    async with worker(broker, config, [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    stood = dict(broker.committed)
    broker.append(TX, [(key, FUTURE)])
    for _ in range(2):
        with pytest.raises(OutdatedError, match=rf"unknown schema id {NEXT}.*\n.*upgrade this process"):
            async with worker(broker, config, [factory(Tally)]) as task:
                await until(task.done)
    assert broker.committed == stood
    assert letters(broker) == []


def vouching(chain: ChainLog, value: bytes):
    from streams.core.block import Step  # noqa: PLC0415

    ref = chain.next_ref()
    chain.blocks.append((ref, [[]]))
    chain._step(Step.NEW, ref, [[(address(1), value)]])
    return ref


def altered(pairs: list[KeyValue]) -> list[KeyValue]:
    key, value = pairs[0]
    return [(key, value[:-1] + bytes([value[-1] ^ 1])), *pairs[1:]]


def remarked(pairs: list[KeyValue], **fields: object) -> list[KeyValue]:
    _, marker = codec().decode(pairs[-1][1])
    return [*pairs[:-1], (None, codec().encode("Marker", {**marker, **fields}))]


def forged(pairs: list[KeyValue]) -> list[KeyValue]:
    _, marker = codec().decode(pairs[-1][1])
    return [*pairs[:-1], (None, codec().encode("Marker", Signer(b"f" * 32).sign("Marker", marker)))]


TAMPERED: dict[str, Callable[[list[KeyValue]], list[KeyValue]]] = {
    "a record was altered": altered,
    "a record is missing": lambda pairs: pairs[1:],
    "a stranger wrote between": lambda pairs: [pairs[0], (b"k", b"garbage"), *pairs[1:]],
    "records changed places": lambda pairs: [pairs[1], pairs[0], *pairs[2:]],
    "the marker is signed by a stranger": forged,
    "the count was altered": lambda pairs: remarked(pairs, count=1),
    "the marker is missing": lambda pairs: pairs[:-1],
    "the marker came twice": lambda pairs: [*pairs, pairs[-1]],
    "the block came twice": lambda pairs: [*pairs, *pairs],
    "it was cut away": lambda _: [],
    "the marker came first": lambda pairs: [pairs[-1], *pairs[:-1]],
}


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED.keys())
async def test_a_log_that_is_not_what_its_markers_say_stops_the_reader(
    tmp_path: Path, tamper: Callable[[list[KeyValue]], list[KeyValue]]
) -> None:
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    for _ in range(4):
        chain.add([1, 2])
    steps = [step.records[0] for step in chain.steps]
    steps[2] = tamper(steps[2])
    for records in steps[:2]:
        broker.append(TX, records)
    config = settings(tmp_path)
    async with worker(broker, config, [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    for records in steps[2:]:
        broker.append(TX, records)
    for _ in range(2):  # a restart does not get past it either
        with pytest.raises(LogIntegrityError, match=r"chain\.transactions/0.* (block [23456]/|unknown key|altered|no marker)"):
            async with worker(broker, config, [factory(Tally)]) as task:
                await until(task.done)
    del chain.blocks[len(live_output(broker.read(topics.INTENTS, 0), topics.INTENTS, 0)) :]
    assert len(chain.blocks) >= 2  # whole blocks in front of the fault may have been folded in
    check_tally(broker, chain)


async def test_steps_in_another_order_stop_the_reader(tmp_path: Path) -> None:
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    for _ in range(4):
        chain.add([1, 2])
    steps = [step.records[0] for step in chain.steps]
    for records in (steps[0], steps[2], steps[1], steps[3]):
        broker.append(TX, records)
    stops = metrics.INTEGRITY_STOPS.labels("tally")._value.get()
    with pytest.raises(LogIntegrityError, match="came where 1 was due"):
        async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
            await until(task.done)
    assert metrics.INTEGRITY_STOPS.labels("tally")._value.get() == stops + 1


async def test_a_lost_position_halts_and_names_the_gap(tmp_path: Path) -> None:
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    chain.add([1, 2])
    publish(broker, chain)
    config = settings(tmp_path)
    async with worker(broker, config, [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    since = chain.sequence
    for _ in range(5):
        chain.add([1])
    publish(broker, chain, since)
    broker.cut(TX, 9)
    with pytest.raises(PositionLostError, match=r"tally/0: chain\.transactions: offsets 3 to 8 "):
        async with worker(broker, config, [factory(Tally)]) as task:
            await until(task.done)


async def test_a_log_that_lost_its_beginning_is_not_read_from_the_middle(tmp_path: Path) -> None:
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    for _ in range(5):
        chain.add([1])
    publish(broker, chain)
    broker.cut(TX, 4)
    with pytest.raises(PositionLostError, match="offsets 0 to 3 "):
        async with worker(broker, settings(tmp_path), [factory(Tally)]) as task:
            await until(task.done)


async def test_expired_offsets_go_on_from_the_checkpoint(tmp_path: Path) -> None:
    broker, chain = FakeBroker(partitions=1), ChainLog(partitions=1)
    chain.add([1, 2])
    publish(broker, chain)
    config = settings(tmp_path)
    async with worker(broker, config, [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    broker.committed.clear()
    since = chain.sequence
    chain.add([1])
    publish(broker, chain, since)
    async with worker(broker, config, [factory(Tally)]) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)
