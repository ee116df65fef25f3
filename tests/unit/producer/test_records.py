from __future__ import annotations

import pytest
from aiokafka.partitioner import DefaultPartitioner

from schemas.codec import codec
from streams.core.block import BlockRef, Step
from streams.core.forkview import Undo
from streams.core.marker import Marker, block_digest
from streams.errors import ConfigurationError
from streams.producer.log import Staged
from streams.producer.records import MAX_RECORD, RecordTooLargeError, Stager, parse_agents
from streams.signing import Signer, Verifier
from tests.chains import CHAIN_ID, chain, child

SIGNER = Signer(bytes(32))
PARTITIONS = 3
PEER, TOKEN, STRANGER = (bytes([n]) * 20 for n in (0xA1, 0xA2, 0xA3))


def stage(agents: frozenset[bytes] = frozenset()) -> tuple[Staged, list[bytes]]:
    """A block of five transactions; the first names a peer, a token that logs twice, and its own sender in a topic."""
    block = child(None, transactions=5)
    first = block.transactions[0]
    first["to"] = PEER
    topic = bytes(12) + first["sender"]
    log = {"index": 0, "address": TOKEN, "topics": [bytes([9]) * 32, topic, bytes(12) + PEER], "data": b""}
    first["logs"] = [log, {**log, "index": 1}]
    return Stager(CHAIN_ID, PARTITIONS, SIGNER, agents).new(block, 7, None), [tx["sender"] for tx in block.transactions]


def records(staged: Staged) -> list[tuple[int, bytes, dict]]:
    return [
        (number, key, codec().decode(value)[1]) for number, part in enumerate(staged.partitions) for key, value in part[:-1]
    ]  # fmt: skip


def test_every_sender_gets_its_record_where_any_kafka_client_looks_for_it() -> None:
    staged, senders = stage()
    default = DefaultPartitioner()
    found = records(staged)
    assert sorted((r["index"], r["agent"]) for _, _, r in found) == list(enumerate(senders))
    for number, key, record in found:
        assert key == record["agent"] == record["sender"]
        assert record["role"] == "SENDER"
        assert number == default(key, list(range(PARTITIONS)), list(range(PARTITIONS)))


def test_registered_counterparties_get_one_record_each_and_strangers_none() -> None:
    _, senders = stage()
    staged, _ = stage(frozenset({PEER, TOKEN, STRANGER, senders[0]}))
    extra = [(r["agent"], r["index"]) for _, _, r in records(staged) if r["role"] == "COUNTERPARTY"]
    assert sorted(extra) == [(PEER, 0), (TOKEN, 0)]
    assert staged.records == 7


def test_one_signed_marker_ends_each_partition_and_tells_what_is_in_it() -> None:
    staged, _ = stage()
    notification = codec().decode(staged.notification)[1]
    Verifier([SIGNER.public]).verify("BlockNotification", notification)
    assert (notification["transactions"], notification["records"], notification["sequence"]) == (5, 5, 7)
    for number, part in enumerate(staged.partitions):
        key, value = part[-1]
        name, record = codec().decode(value)
        Verifier([SIGNER.public]).verify("Marker", record)
        marker = Marker.of(record)
        values = [value for _, value in part[:-1]]
        assert (key, name, marker.step, marker.partition, marker.sequence) == (None, "Marker", Step.NEW, number, 7)
        assert (marker.count, marker.digest) == (len(values), block_digest(values))


def test_undo_and_final_reach_every_partition() -> None:
    refs = [block.ref for block in chain(5)]
    stager = Stager(CHAIN_ID, PARTITIONS, SIGNER)
    undo = stager.undo(Undo((refs[5], refs[4]), refs[3]), 8, refs[1])
    final = stager.final(refs[2], 9, refs[3])
    for staged, step, block in ((undo, Step.UNDO, refs[5]), (final, Step.FINAL, refs[2])):
        assert [len(part) for part in staged.partitions] == [1] * PARTITIONS
        marker = Marker.of(codec().decode(staged.partitions[1][0][1])[1])
        assert (marker.step, marker.block, marker.head, marker.count) == (step, block, refs[3], 0)
        assert BlockRef.of(codec().decode(staged.notification)[1]["head"]) == refs[3]
    marker = Marker.of(codec().decode(undo.partitions[0][0][1])[1])
    assert (marker.removed, marker.ancestor) == ((refs[5], refs[4]), refs[3])


def test_a_record_over_the_limit_refuses_the_whole_block() -> None:
    stager = Stager(CHAIN_ID, PARTITIONS, SIGNER)
    with pytest.raises(RecordTooLargeError, match="max_message_bytes"):
        stager.new(child(None, input_size=MAX_RECORD), 0, None)


@pytest.mark.parametrize("text", ["0x12", "zz" * 20, "0x" + "11" * 21])
def test_registered_agents_are_addresses(text: str) -> None:
    assert parse_agents(["0x" + "11" * 20]) == frozenset({bytes([17]) * 20})
    with pytest.raises(ConfigurationError):
        parse_agents([text])
