"""Logs of final states: proofs that hold offline for what was published; no answer at all for a log that was tampered with."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from schemas.codec import SchemaError
from streams.core.merkle.document import ConsistencyDocument, EntryDocument, parse
from streams.serving.final_logs import AHEAD_LIMIT
from streams.serving.verify import ProofRefusedError, verify_consistency, verify_entry
from streams.serving.wire import ConsistencyView, EntryProofView
from tests.final_logs import published, roots_of
from tests.unit.serving.world import World

ENTRIES = published(3, 9)
ROOTS = roots_of(ENTRIES)
OTHER = roots_of(published(3, 9, fork=1))


def publish(world: World, records: list[dict[str, Any]], partition: int = 3) -> None:
    for record in records:
        world.roots.logs.take(partition, record)


async def test_sizes_roots_and_newest_entries(http: httpx.AsyncClient, world: World) -> None:
    assert (await http.get("/v1/logs")).json() == {"items": []}
    publish(world, ENTRIES)
    publish(world, published(0, 2), 0)
    items = (await http.get("/v1/logs")).json()["items"]
    assert [(item["partition"], item["size"]) for item in items] == [(0, 2), (3, 9)]
    log = (await http.get("/v1/logs/3")).json()
    assert log == items[1]
    assert log["root"] == ROOTS[-1]
    assert log["newest"]["block"]["hash"] == "0x" + ENTRIES[-1]["block"]["hash"].hex()


async def test_every_entry_is_proved_in_every_log_it_is_in(http: httpx.AsyncClient, world: World) -> None:
    publish(world, ENTRIES)
    for size in range(1, 10):
        for index in range(size):
            body = (await http.get(f"/v1/logs/3/entries/{index}", params={"size": size})).json()
            document = parse(body["proof"])
            assert isinstance(document, EntryDocument)
            assert document.holds()
            verify_entry(EntryProofView.model_validate(body), 3, index, size, ROOTS[size - 1])
            assert body["entry"]["checksum"] == "0x" + ENTRIES[index]["checksum"].hex()


async def test_every_log_begins_with_every_shorter_one(http: httpx.AsyncClient, world: World) -> None:
    publish(world, ENTRIES)
    for size in range(1, 10):
        for first in range(1, size + 1):
            wanted = {"first": first, "size": size, "first_root": ROOTS[first - 1]}
            body = (await http.get("/v1/logs/3/consistency", params=wanted)).json()
            document = parse(body["proof"])
            assert isinstance(document, ConsistencyDocument)
            assert document.holds()
            assert body["root"] == ROOTS[size - 1]
            verify_consistency(ConsistencyView.model_validate(body), 3, first, ROOTS[first - 1], size)


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("1", 404, "not_found"),
        ("1/consistency?first=1", 404, "not_found"),
        ("3/entries/9", 404, "not_found"),
        ("3/entries/0?size=10", 404, "not_found"),
        ("3/entries/5?size=4", 400, "bad_request"),
        ("3/entries/-1", 422, "invalid"),
        ("3/entries/99999999999999999999", 422, "invalid"),
        ("3/entries/0?size=0", 422, "invalid"),
        ("3/consistency", 422, "invalid"),
        ("3/consistency?first=0", 422, "invalid"),
        ("3/consistency?first=10", 400, "bad_request"),
        ("3/consistency?first=5&size=4", 400, "bad_request"),
        ("3/consistency?first=5&size=10", 404, "not_found"),
        ("3/consistency?first=5&first_root=0x12", 400, "bad_request"),
        (f"3/consistency?first=5&first_root={OTHER[4]}", 409, "never_published"),
        (f"3/consistency?first=5&first_root={ROOTS[3]}", 409, "never_published"),
        ("-1", 422, "invalid"),
    ],
)
async def test_what_is_refused(http: httpx.AsyncClient, world: World, path: str, status: int, error: str) -> None:
    publish(world, ENTRIES)
    response = await http.get(f"/v1/logs/{path}")
    assert (response.status_code, response.json()["error"]) == (status, error), response.text


def damaged(how: str) -> list[dict[str, Any]]:
    records = [dict(record) for record in ENTRIES]
    if how == "cut":
        del records[4]
    elif how == "beginning lost":
        del records[:3]
    elif how == "forged checksum":
        records[4]["checksum"] = bytes(32)
    elif how == "forged root":
        records[4]["root"] = bytes(32)
    elif how == "another block":
        records[4]["block"] = published(3, 5, fork=1)[4]["block"]
    elif how == "written twice":
        records.append({**records[2], "checksum": bytes(32)})
    elif how == "continued on a fork":
        records[5:] = published(3, 9, fork=1)[5:]
    return records


@pytest.mark.parametrize(
    "how",
    ["cut", "beginning lost", "forged checksum", "forged root", "another block", "written twice", "continued on a fork"],
)
async def test_a_log_that_was_tampered_with_gives_no_answer(http: httpx.AsyncClient, world: World, how: str) -> None:
    publish(world, damaged(how))
    publish(world, published(0, 2), 0)
    for path in ("3", "3/entries/0", "3/consistency?first=1", ""):
        response = await http.get(f"/v1/logs/{path}".rstrip("/"))
        assert response.status_code == 503, response.text
        assert "partition 3: entry " in response.json()["message"]
    assert (await http.get("/v1/logs/0")).status_code == 200


async def test_order_and_repetition_do_not_matter(http: httpx.AsyncClient, world: World) -> None:
    publish(world, [*ENTRIES[6:], *ENTRIES[:3], *ENTRIES[2:7]])
    assert (await http.get("/v1/logs/3")).json()["root"] == ROOTS[-1]


def test_entries_that_came_too_early_are_not_kept_without_end(world: World) -> None:
    for index in range(1, AHEAD_LIMIT + 5):
        world.roots.logs.take(3, {**ENTRIES[0], "index": index})
    with pytest.raises(Exception, match="entry 0 is missing"):
        world.roots.logs.logs[3].demand_whole()


def test_an_entry_in_the_wrong_partition_is_garbage(world: World) -> None:
    with pytest.raises(SchemaError, match="lies in partition 2"):
        world.roots.logs.take(2, ENTRIES[0])


async def test_clients_refuse_answers_that_show_something_else(http: httpx.AsyncClient, world: World) -> None:
    publish(world, ENTRIES)
    entry = EntryProofView.model_validate((await http.get("/v1/logs/3/entries/4?size=7")).json())
    verify_entry(entry, 3, 4, 7, ROOTS[6])
    flipped = {**entry.proof, "hashes": ["00" * 32, *entry.proof["hashes"][1:]]}
    other = entry.entry.model_copy(update={"checksum": "0x" + "00" * 32})
    for answer, asked in (
        (entry, (3, 5, 7, None)),
        (entry, (2, 4, 7, None)),
        (entry, (3, 4, 8, None)),
        (entry, (3, 4, 7, OTHER[6])),
        (entry.model_copy(update={"proof": flipped}), (3, 4, 7, None)),
        (entry.model_copy(update={"entry": other}), (3, 4, 7, None)),
        (entry.model_copy(update={"root": ROOTS[5]}), (3, 4, 7, None)),
        (entry.model_copy(update={"proof": {}}), (3, 4, 7, None)),
    ):
        with pytest.raises(ProofRefusedError):
            verify_entry(answer, *asked)
    grown = ConsistencyView.model_validate((await http.get("/v1/logs/3/consistency?first=5&size=8")).json())
    verify_consistency(grown, 3, 5, ROOTS[4], 8)
    hashes = {**grown.proof, "hashes": ["00" * 32, *grown.proof["hashes"][1:]]}
    for wrong, about in (
        (grown, (3, 5, OTHER[4], 8)),
        (grown, (3, 4, ROOTS[3], 8)),
        (grown, (3, 5, ROOTS[4], 9)),
        (grown, (1, 5, ROOTS[4], 8)),
        (grown.model_copy(update={"root": ROOTS[8]}), (3, 5, ROOTS[4], 8)),
        (grown.model_copy(update={"proof": hashes}), (3, 5, ROOTS[4], 8)),
        (grown.model_copy(update={"proof": entry.proof}), (3, 5, ROOTS[4], 8)),
    ):
        with pytest.raises(ProofRefusedError):
            verify_consistency(wrong, *about)
