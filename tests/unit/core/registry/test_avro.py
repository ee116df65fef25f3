"""Schemas of strangers cost no more than their text: no square of their fields, no place among what is remembered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.core.registry import avro
from streams.core.registry.avro import AvroError, parse


def record(fields: int, **first: Any) -> str:
    made: list[dict[str, Any]] = [{"name": f"f{number}", "type": "int"} for number in range(fields)]
    made[0] |= first
    return json.dumps({"type": "record", "name": "R", "fields": made})


def test_a_name_comes_once_in_a_record_however_long() -> None:
    assert len(parse(record(20_000)).root.fields) == 20_000
    with pytest.raises(AvroError, match="field f19999 twice"):
        parse(record(20_000, name="f19999"))


def test_long_texts_are_not_remembered_and_short_ones_are() -> None:
    before = avro._remembered.cache_info().currsize
    long, short = record(2_000), record(3, doc="of this test alone")
    assert len(long) > avro.LONGEST_REMEMBERED
    assert parse(long).canonical == parse(long).canonical
    assert avro._remembered.cache_info().currsize == before
    assert parse(short) is parse(short)
