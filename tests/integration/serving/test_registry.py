"""The schema registry on a real broker: several writers at once, what survives, and what a stranger may write."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest

from schemas.codec import codec
from streams.cli.subjects import register_subjects
from streams.core.registry.decide import register
from streams.core.registry.table import FIRST_FREE_ID
from streams.serving.registry.log import RegistryLog
from streams.settings import Settings
from streams.subjects import own_subjects
from streams.topics import SCHEMAS
from tests.e2e.stranger import bad_values, stranger

pytestmark = pytest.mark.kafka
WRITERS = 3
EACH = 6


def record(name: str, field: str = "a") -> str:
    return json.dumps({"type": "record", "name": name, "fields": [{"name": field, "type": "long", "default": 0}]})


@asynccontextmanager
async def registries(settings: Settings, count: int) -> AsyncIterator[list[RegistryLog]]:
    async with AsyncExitStack() as stack:
        found = [RegistryLog(settings.kafka, 20.0) for _ in range(count)]
        for one in found:
            stack.push_async_callback(one.stop)
        yield found


async def test_gateways_that_register_at_once_never_give_one_id_twice(kafka_settings: Settings) -> None:
    """Each registers schemas of its own, and one that all share, in subjects of its own and in a common one."""
    async with registries(kafka_settings, WRITERS) as writers:

        async def write(number: int, log: RegistryLog) -> list[tuple[str, int]]:
            given = []
            for turn in range(EACH):
                text = record("Shared") if turn == EACH // 2 else record(f"Own{number}x{turn}")
                subject = f"of-{number}-{turn}" if turn % 2 else f"common-{turn}-{number}"
                given.append((text, await log.change(partial(register, subject=subject, text=text))))
            return given

        given = [pair for pairs in await asyncio.gather(*map(write, range(WRITERS), writers)) for pair in pairs]
        ids = dict(given)
        assert len(given) == WRITERS * EACH
        assert all(ids[text] == found for text, found in given)
        assert len(set(ids.values())) == len(ids) == WRITERS * (EACH - 1) + 1
        assert sorted(ids.values()) == list(range(FIRST_FREE_ID, FIRST_FREE_ID + len(ids)))
        seen = [{row.key: row for row in (await log.fresh()).rows()} for log in writers]
        assert all(table == seen[0] for table in seen)
    async with registries(kafka_settings, 1) as (late,):
        assert {row.key: row for row in (await late.fresh()).rows()} == seen[0]


async def test_own_schemas_are_registered_once_under_the_ids_of_the_wire(kafka_settings: Settings) -> None:
    wanted = own_subjects(kafka_settings.kafka.prefix)
    assert await register_subjects(kafka_settings, dry_run=True) == (len(wanted), None)
    assert await register_subjects(kafka_settings) == (len(wanted), None)
    assert await register_subjects(kafka_settings) == (0, None)
    async with registries(kafka_settings, 1) as (log,):
        table = await log.fresh()
        assert {version.id for subject in table.subjects() for version in table.versions(subject)} == {one.id for one in wanted}
        assert all((one.subject, one.text) in {(v.subject, v.text) for v in table.holders(one.id)} for one in wanted)
        assert max(one.id for one in wanted) == codec().newest


async def test_what_a_stranger_writes_changes_nothing(kafka_settings: Settings) -> None:
    async with registries(kafka_settings, 1) as (log,), stranger(kafka_settings) as foe:
        mine = await log.change(partial(register, subject="mine", text=record("Mine")))
        await foe.write(SCHEMAS, bad_values(SCHEMAS), key=b"VERSION/1/theirs")
        await foe.write(SCHEMAS, bad_values(SCHEMAS), key=b"no key of a row")
        assert (await log.fresh()).subjects() == ["mine"]
        assert await log.change(partial(register, subject="mine", text=record("Mine"))) == mine
