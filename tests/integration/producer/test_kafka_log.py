"""The block producer on a real broker: what lands in the topics, taking over, resuming, records that are too large."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from connectors.chain.archive import open_archive
from schemas.codec import codec
from streams.cli.producer import build
from streams.core.block import BlockRef
from streams.errors import FencedError, OutdatedError
from streams.producer.kafka_log import KafkaLog, LogUnavailableError
from streams.producer.loop import Progress
from streams.producer.records import MAX_RECORD, RecordTooLargeError, Stager
from streams.settings import Settings
from streams.signing import Signer, Verifier
from streams.topics import BLOCKS, TRANSACTIONS, physical
from tests.chains import CHAIN_ID, ScriptedSource, chain
from tests.integration.producer.logs import canonical, check_partition, notifications, own_verifier, read

pytestmark = pytest.mark.kafka
SIGNER = Signer(bytes(32))


async def run(settings: Settings, source: ScriptedSource, **limits: int) -> Progress:
    return await (await build(settings, source, once=True, **limits)).run()


async def test_blocks_forks_and_finality_land_in_order(kafka_settings: Settings) -> None:
    kafka_settings.chain.finality_depth = 4
    source = ScriptedSource(chain(12, transactions=3))
    assert (await run(kafka_settings, source)).blocks == 13
    source.reorg(3, new=5)
    done = await run(kafka_settings, source)
    assert (done.reorgs, done.deepest, done.blocks) == (1, 3, 5)
    records = await notifications(kafka_settings)
    assert [record["sequence"] for record in records] == list(range(len(records)))
    (undo,) = (record for record in records if record["step"] == "UNDO")
    assert [ref["number"] for ref in undo["removed"]] == [12, 11, 10]
    assert undo["ancestor"]["number"] == 9
    assert records[-1]["step"] == "FINAL"
    assert records[-1]["block"]["number"] == 10
    for number, part in (await read(kafka_settings, TRANSACTIONS)).items():
        check_partition(kafka_settings, CHAIN_ID, number, part)


async def test_a_second_producer_shuts_out_the_first(kafka_settings: Settings) -> None:
    first, second = ScriptedSource(chain(3)), ScriptedSource(chain(9))
    older = await build(kafka_settings, first)
    running = asyncio.create_task(older.run())
    async with asyncio.timeout(30):
        while older.progress.view.tip is None or older.progress.view.tip.number < 3:
            await asyncio.sleep(0.05)
    done = await run(kafka_settings, second)
    assert (done.blocks, done.view.tip) == (6, second.head_ref)
    first.grow(4)
    with pytest.raises(FencedError, match="another producer took over"):
        await asyncio.wait_for(running, 30)
    records = await notifications(kafka_settings)
    assert [BlockRef.of(record["block"]).number for record in records if record["step"] == "NEW"] == list(range(10))


async def test_a_shut_out_producer_does_not_come_back_by_reopening(kafka_settings: Settings) -> None:
    one, two = (KafkaLog(kafka_settings, CHAIN_ID, Verifier([SIGNER.public])) for _ in range(2))
    stager = Stager(CHAIN_ID, kafka_settings.kafka.partitions, SIGNER)
    blocks = chain(2)
    try:
        await one.open()
        await one.append([stager.new(blocks[0], 0, None)])
        await two.open()
        await two.append([stager.new(blocks[1], 1, None)])
        with pytest.raises(FencedError, match="the log is at 2, this producer at 1"):
            await one.open()
        await two.append([stager.new(blocks[2], 2, None)])  # the one that took over is not disturbed by the attempt
    finally:
        await one.close()
        await two.close()


async def test_position_is_read_back_past_many_small_transactions(kafka_settings: Settings) -> None:
    source = ScriptedSource(chain(40))
    kafka_settings.chain.finality_depth = 5
    await run(kafka_settings, source)
    log = KafkaLog(kafka_settings, CHAIN_ID, own_verifier(kafka_settings))
    try:
        position = await log.open()
        assert (position.view.tip, position.view.final, position.first) == (source.head_ref, source.at(35), source.at(0))
        assert position.sequence == len(await notifications(kafka_settings))
    finally:
        await log.close()


async def test_a_reorg_deeper_than_what_was_read_back_reads_further(
    kafka_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.producer.kafka_log.KEEP", 3)
    monkeypatch.setattr("streams.producer.loop.KEEP", 3)
    kafka_settings.chain.finality_depth = 3  # the window is short because blocks are final; the reorg goes below that
    kafka_settings.chain.rewind_confirmations = 1
    source = ScriptedSource(chain(30))
    await run(kafka_settings, source)
    source.reorg(25, 27)
    done = await run(kafka_settings, source)
    assert done.deepest == 25
    assert canonical(await notifications(kafka_settings)) == [block.ref.hash for block in source.canonical_blocks]


async def test_an_unsigned_writer_is_found_on_opening(kafka_settings: Settings) -> None:
    await run(kafka_settings, ScriptedSource(chain(2)))
    log = KafkaLog(kafka_settings, CHAIN_ID, Verifier([SIGNER.public]))
    with pytest.raises(Exception, match="signed by unknown key"):
        await log.open()
    await log.close()


async def test_an_older_producer_does_not_go_on_where_a_newer_one_wrote(kafka_settings: Settings) -> None:
    """Passed over as garbage, the end of the log would look like its beginning, and be written once more."""
    await run(kafka_settings, ScriptedSource(chain(2)))
    producer = AIOKafkaProducer(bootstrap_servers=kafka_settings.kafka.bootstrap)
    await producer.start()
    await producer.send_and_wait(
        physical(kafka_settings.kafka.prefix, BLOCKS), b"\0" + (codec().newest + 1).to_bytes(4, "big") + b"later"
    )
    await producer.stop()
    log = KafkaLog(kafka_settings, CHAIN_ID, own_verifier(kafka_settings))
    try:
        with pytest.raises(OutdatedError, match="is the newest known here"):
            await log.open()
    finally:
        await log.close()


async def test_a_record_of_two_megabytes_passes_and_a_larger_one_is_refused(kafka_settings: Settings) -> None:
    source = ScriptedSource(chain(1))
    source.grow(1, input_size=2 * 1024 * 1024)
    assert (await run(kafka_settings, source)).blocks == 3
    source.grow(1, input_size=MAX_RECORD + 1)
    with pytest.raises(RecordTooLargeError, match="refused: a record of agent 0x"):
        await run(kafka_settings, source)
    records = await notifications(kafka_settings)
    assert records[-1]["head"]["number"] == 2


async def test_no_broker_says_what_to_do(kafka_settings: Settings) -> None:
    kafka_settings.kafka.bootstrap = "127.0.0.1:1"
    log = KafkaLog(kafka_settings, CHAIN_ID, Verifier([]))
    with pytest.raises(LogUnavailableError, match="monmouth infra up"):
        await log.open()


async def test_real_forks_of_an_archive_on_a_real_log(kafka_settings: Settings, data_dir: Path) -> None:
    source = open_archive(data_dir / "ethereum" / "era1", CHAIN_ID)
    done = await (await build(kafka_settings, source, until=600)).run()
    records = await notifications(kafka_settings)
    undone = [record for record in records if record["step"] == "UNDO"]
    assert done.reorgs == len(undone) > 50
    assert {len(record["removed"]) for record in undone} == {1}
    assert records[-1]["sequence"] == len(records) - 1
