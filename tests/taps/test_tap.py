"""The reference consumer on a real broker: equal to the canonical chain after every step; one that ignores UNDO is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.codec import codec
from streams.settings import KafkaSettings, Settings
from streams.signing import load_or_create_signer, load_verifier
from streams.tap.follow import Tap
from streams.topics import INTENTS, MEMORY_LOG, TRANSACTIONS
from tests.chainlog import VERIFIER, ChainLog
from tests.e2e.expected import name_of
from tests.integration.runtime.kafkalog import ChainWriter, read_all
from tests.taps.stage import Stage

pytestmark = pytest.mark.kafka


def values(chain: ChainLog, *, upto: int = 1 << 62) -> list[bytes]:
    """Of the canonical blocks up to that height."""
    placed = (part for ref, parts in chain.blocks if ref.number <= upto for part in parts)
    return sorted(codec().encode(kind, record) for part in placed for _, kind, record in part)


def story(chain: ChainLog) -> Iterator[None]:
    """Yields after each step that a producer would write: growth, shallow and deep reorganisations, A-B-A, finality."""
    for number in range(5):
        chain.add([number % 4, 1, 2])
        yield
    chain.finalize(2)
    yield
    for depth, fork in ((1, "b"), (3, "c"), (2, 0)):
        chain.undo(depth)
        yield
        for number in range(depth + 1):
            chain.add([3, number % 4], fork=fork)
            yield
    chain.finalize(4)
    yield


async def naive(settings: Settings) -> list[bytes]:
    """All records of the topic that are no markers."""
    found = [await read_all(settings, TRANSACTIONS, number) for number in range(settings.kafka.partitions)]
    return sorted(value for pairs in found for key, value in pairs if key is not None and value is not None)


async def test_after_every_step_it_is_equal_to_the_chain_and_a_naive_reader_is_not(
    kafka_settings: Settings, tmp_path: Path
) -> None:
    chain, kafka, kept = ChainLog(partitions=kafka_settings.kafka.partitions), kafka_settings.kafka, tmp_path / "kept"
    undone = False
    async with ChainWriter(kafka_settings) as writer, Tap(kafka, TRANSACTIONS, VERIFIER) as tap:
        for step, _ in enumerate(story(chain)):
            await writer.publish(chain)
            undone = undone or chain.steps[-1].step == "UNDO"
            await tap.catch_up()
            assert sorted(row.raw for row in tap.rows()) == values(chain)
            line = chain.final.number if chain.final else -1
            assert sorted(row.raw for row in tap.rows(final_only=True)) == values(chain, upto=line)
            if step == 7:
                tap.save(kept)
        assert undone
        everything = await naive(kafka_settings)
        assert everything != values(chain)
        assert set(values(chain)) < set(everything)
    async with Tap(kafka, TRANSACTIONS, VERIFIER) as tap:
        tap.restore(kept)
        await tap.catch_up()
        assert sorted(row.raw for row in tap.rows()) == values(chain)


async def test_on_the_pipeline_s_own_topics_it_ends_equal_to_the_oracle(stage: Stage) -> None:
    settings, kafka = stage.settings, stage.settings.kafka
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)
    async with Tap(kafka, INTENTS, verifier) as intents, Tap(kafka, MEMORY_LOG, verifier) as facts:
        await intents.catch_up()
        await facts.catch_up()
        assert Counter(row.raw for row in intents.rows()) == stage.expected.intents
        assert Counter(map(name_of, facts.records())) == stage.expected.facts
        assert {record["memory"]["content"] for record in facts.records() if record["memory"]} == {b""}, (
            "sealed, and no key here"
        )


async def test_it_needs_no_more_than_an_address(stage: Stage) -> None:
    kafka = KafkaSettings(bootstrap=stage.bootstrap, prefix=stage.settings.kafka.prefix, partitions=2)
    async with Tap(kafka, TRANSACTIONS) as tap:
        await tap.catch_up()
        assert len(list(tap.records())) > 20
