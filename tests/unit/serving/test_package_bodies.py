"""Bodies of packages: as they are or in JSON, of any size that is allowed, never more of them at once than there are places."""

from __future__ import annotations

import asyncio
import json
import struct
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Scope

from schemas.defaults import plain_edge, plain_memory
from streams.portability import container, lines
from streams.portability.errors import PackageError
from streams.portability.package import Package, packed
from streams.serving import places
from streams.serving.app import create_app
from streams.serving.faults import RateLimitedError, UnavailableError
from streams.serving.packages import Packages
from streams.serving.places import Pace, Places
from streams.serving.routers import packages as routes
from streams.serving.wire.packages import ImportRequest, ImportTerms
from streams.settings import Settings
from streams.signing import Signer, Verifier
from tests.identity import OPERATOR_TOKEN, bearer
from tests.unit.portability.documents import SEVERAL
from tests.unit.portability.test_package import bomb
from tests.unit.serving.served import served
from tests.unit.serving.test_packages import A, exported, populated
from tests.unit.serving.world import ALICE, BOB, World, client, upsert

ROOT = Path(__file__).parents[3]
RAW = {"content-type": "application/octet-stream"}


async def sent(world: World, data: bytes | AsyncIterator[bytes], **params: Any) -> httpx.Response:
    async with client(world) as http:
        return await http.post(f"{A}/import", content=data, headers=RAW, params=params)


def narrow(world: World, most: int) -> None:
    """From now on packages may have ``most`` bytes."""
    trusted = Verifier([world.signer.public])
    world.services = replace(world.services, packages=Packages(world.prover, world.commands, world.signer, trusted, most))


@pytest.mark.parametrize("params", [{}, {"format": "avro"}, {"compress": True}], ids=str)
async def test_a_file_goes_out_and_in_as_it_is(world: World, params: dict[str, Any]) -> None:
    await populated(world)
    async with client(world) as http:
        answer = await http.get(f"{A}/export", params={**params, "raw": True})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/octet-stream")
    assert answer.content == await exported(world, **params)
    assert answer.headers["x-package-count"] == "6"
    restored = World()
    taken = await sent(restored, answer.content, wait=1)
    assert taken.status_code == 200, taken.text
    assert (taken.json()["count"], taken.json()["restored"], taken.json()["digest"]) == (
        6,
        True,
        answer.headers["x-package-digest"],
    )


async def test_a_bomb_is_a_bad_request(world: World) -> None:
    for start in (b'{"manifest":', b"["):
        answer = await sent(world, bomb(start))
        assert (answer.status_code, answer.json()["error"]) == (400, "bad_request"), answer.text
    assert not world.commands.sent


@pytest.mark.parametrize(
    "data",
    [
        b'[{"memory":"x","created_at":1e400}]',
        b'[{"memory":"x","metadata":' + b'{"a":' * 700 + b"1" + b"}" * 700 + b"}]",
        b'{"agents":[{"block_ids":5}],"blocks":[]}',
        b'{"format_version":"1.0.0","metadata":{},"memories":[{"content":"","memory_type":"Working","importance":'
        + b"9" * 400
        + b"}]}",
    ],
    ids=["no number", "deep", "no list", "long number"],
)
async def test_a_malformed_file_is_a_bad_request(world: World, data: bytes) -> None:
    answer = await sent(world, data)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request"), answer.text


async def test_what_breaks_a_reader_is_a_bad_request_and_stands_in_the_log(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise TypeError("unhashable")

    monkeypatch.setattr("streams.serving.packages.read_any", broken)
    answer = await sent(world, b"[]")
    assert answer.status_code == 400 and "unhashable" not in answer.text
    assert "could not be read" in caplog.text


async def test_one_of_several_agents_of_a_file_is_named(world: World) -> None:
    data = json.dumps(SEVERAL).encode()
    refused = await sent(world, data)
    assert refused.status_code == 400 and "2 agents" in refused.json()["message"]
    assert (await sent(world, data, from_agent="agent-1", wait=1)).json()["count"] == 2
    async with client(world) as http:
        body = {"package_base64": b64encode(data).decode(), "from_agent": "*"}
        assert (await http.post(f"{A}/import", json=body)).json()["count"] == 4


async def test_more_than_is_allowed_is_refused_while_it_comes(world: World) -> None:
    narrow(world, 1 << 16)
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield bytes(1 << 12)

    assert (await sent(world, endless())).status_code == 413
    assert taken < 40


async def test_a_package_larger_than_allowed_does_not_go_out(world: World) -> None:
    await populated(world)
    narrow(world, 1 << 10)
    async with client(world) as http:
        assert (await http.get(f"{A}/export", params={"raw": True})).status_code == 413


async def test_json_holds_small_packages_only(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await populated(world)
    data = await exported(world)
    monkeypatch.setattr(routes, "JSON_LIMIT", 1_000)
    async with client(world) as http:
        for answer in (
            await http.get(f"{A}/export"),
            await http.post(f"{A}/import", json={"package_base64": b64encode(data).decode()}),
        ):
            assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
        assert (await http.post(f"{A}/import", content=data, headers=RAW)).status_code in {200, 202}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"package_base64":""}', b'{"package_base64":"eA==","more":1}', b"\xff"])
async def test_json_that_is_no_request_is_refused(world: World, body: bytes) -> None:
    async with client(world) as http:
        answer = await http.post(f"{A}/import", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid")


async def test_no_body_is_read_before_there_is_a_place(world: World) -> None:
    other = b"\xc0" * 20
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"x")
        yield b"x"

    incoming = world.services.packages.incoming
    incoming._patience = 0.01
    async with incoming.one(BOB), incoming.one(other):
        answer = await sent(world, body())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert not read
    async with incoming.one(ALICE):
        assert (await sent(world, body())).status_code == 429
    assert (await sent(world, body())).status_code == 400 and read, "the place came free again"


async def test_a_body_that_does_not_come_gives_its_place_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "LONGEST", 0.05)

    async def slow() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(3_600)

    assert (await sent(world, slow())).status_code == 400
    assert (await sent(world, b"[]")).status_code == 400


async def test_a_body_that_trickles_gives_its_place_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "SPAN", 0.2)

    async def trickling() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    async with asyncio.timeout(60):
        answer = await sent(world, trickling())
    assert (answer.status_code, answer.json()["message"]) == (400, "the body came too slowly")
    assert (await sent(world, b"[]")).status_code == 400


async def test_a_span_begins_anew_with_enough_bytes_and_no_sooner() -> None:
    async with asyncio.timeout(None) as span:
        pace = Pace(span)
        await asyncio.sleep(0)
        pace.moved(places.LEAST - 1)
        assert span.when() is None
        pace.moved(1)
        assert (first := span.when()) is not None
        pace.moved(places.LEAST - 1)
        assert span.when() == first


async def test_whoever_leaves_in_the_middle_of_a_body_is_no_defect(world: World) -> None:
    messages: list[Message] = [{"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"}]
    answered: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        answered.append(message)

    sent_headers = {"host": "localhost", **RAW, **bearer(OPERATOR_TOKEN)}
    headers = [(name.encode(), value.encode()) for name, value in sent_headers.items()]
    scope: Scope = {"type": "http", "method": "POST", "path": f"{A}/import", "query_string": b"", "headers": headers}
    await create_app(world.services)(scope, receive, send)
    assert answered[0]["status"] == 400


async def begun(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that has read the first byte of a package."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=1 << 12)
    headers = {"host": address.netloc, **bearer(OPERATOR_TOKEN)}
    lines = [f"GET {A}/export?raw=true HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(1)
    return reader, writer


async def test_a_file_that_nobody_reads_on_gives_its_place_back_and_not_before(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    given = packed(ALICE, []), bytes(1 << 25)  # more than the sockets of both ends take

    async def export(*_: object) -> tuple[Package, bytes]:
        return given

    monkeypatch.setattr(world.services.packages, "export", export)
    outgoing = world.services.packages.outgoing
    async with served(create_app(world.services)) as url, asyncio.timeout(60):
        async with httpx.AsyncClient(headers=bearer(OPERATOR_TOKEN), timeout=60) as http:
            assert (await http.get(f"{url}{A}/export?raw=true")).content == given[1]
        while ALICE in outgoing._inside:
            await asyncio.sleep(0.01)
        monkeypatch.setattr(places, "SPAN", 1.0)
        reader, writer = await begun(url)
        assert ALICE in outgoing._inside, "what is not sent is in memory"
        while ALICE in outgoing._inside:
            await asyncio.sleep(0.01)
        assert "read too slowly" in caplog.text
        assert len(await reader.read()) < len(given[1])
        writer.close()


async def test_places_are_counted_and_given_back() -> None:
    two = Places(2, patience=0.01)
    async with two.one(b"a"):
        with pytest.raises(RateLimitedError):
            async with two.one(b"a"):
                pass
        async with two.one(b"b"):
            with pytest.raises(UnavailableError):
                async with two.one(b"c"):
                    pass
        async with two.one(b"c"):
            pass
    async with two.one(b"a"), two.one(b"b"):
        pass


def test_both_ways_to_send_a_file_take_the_same_terms() -> None:
    fields = set(ImportTerms.model_fields) - {"wait"}
    assert fields == set(ImportRequest.model_fields) - {"package_base64"}


@pytest.mark.slow
async def test_ten_thousand_memories_of_eight_kilobytes_go_out_and_in_again_equal_to_the_byte(world: World) -> None:
    """What an agent may have at once, at the size of a long message; about 110 MiB of lines."""
    random = Random(7)
    for _ in range(100):
        ref = world.grow()
        await world.memories.apply([upsert(ALICE, ref, index, random.randbytes(4_096).hex()) for index in range(100)])
    await world.publish(ALICE)
    async with client(world) as http:
        first = (await http.get(f"{A}/export", params={"raw": True, "compress": True})).content
    restored = World()
    taken = await sent(restored, first)
    assert taken.status_code in {200, 202}, taken.text
    assert (taken.json()["count"], taken.json()["restored"]) == (10_000, True)
    await restored.publish(ALICE)
    async with client(restored) as http:
        assert (await http.get(f"{A}/export", params={"raw": True, "compress": True})).content == first


EXTREMES: dict[str, list[Any]] = {
    "timestamp": [-1, (1 << 63) - 1, -(1 << 63)],
    "transaction_index": [-1, 1 << 31, (1 << 63) - 1],
    "importance": [-1.0, 1e308, 5e-324],
    "valid_from": [-(1 << 63), (1 << 63) - 1],
    "valid_to": [-(1 << 63), (1 << 63) - 1],
    "content": [b"", bytes(1 << 17), b"\xff"],
    "media_type": ["", "x" * 10_000, "application/json", "text/plain", "\0"],
    "tags": [[""], ["x" * 1_000], ["x"] * 100, ["\0"]],
    "subject": ["", "x" * 10_000],
    "predicate": ["", "x"],
    "source": ["CHAIN", "SESSION"],
    "form": ["AMENDMENT"],
    "session": [bytes(16)],
    "block": [
        {"number": -1, "hash": bytes(32), "parent": bytes(32)},
        {"number": (1 << 63) - 1, "hash": bytes(32), "parent": bytes(32)},
    ],
    "transaction": [bytes(32)],
    "edges": [
        [{**plain_edge("LINK", bytes(32)), "until": (1 << 63) - 1}],
        [{**plain_edge("SUPERSEDES", bytes(32)), "strength": -1.0}],
        [plain_edge("MERGES", bytes(32))] * 65,
    ],
}


@given(st.data())
def test_a_package_of_memories_at_every_limit_and_beyond_is_taken_or_refused(data: st.DataObject) -> None:
    """A stranger may compute a manifest for anything that a line can say."""
    names = data.draw(st.sets(st.sampled_from(sorted(EXTREMES)), min_size=1, max_size=3))
    changes: Any = {name: data.draw(st.sampled_from(EXTREMES[name])) for name in sorted(names)}
    plain: Any = {**plain_memory(bytes(32), ALICE, "SEMANTIC", "COMMAND", 5), "content": b"x", "media_type": "text/plain"}
    memory: Any = {**plain, **changes}
    signer = Signer(b"t" * 32)
    package = Packages(cast("Any", None), cast("Any", None), signer, Verifier([]))
    try:
        written = packed(ALICE, [memory])
    except (ValueError, struct.error):  # no manifest has room for it
        written = Package(packed(ALICE, [plain]).manifest, (memory,))
    for write in (lines.write, container.write):
        with suppress(PackageError):
            package._judged(ALICE, write(written), unknown=True, chosen=None)


def test_what_packages_may_take_is_half_of_what_the_chart_gives_a_gateway() -> None:
    values = yaml.safe_load((ROOT / "infra/helm/monmouth/values.yaml").read_text())
    limit = values["gateway"]["resources"]["limits"]["memory"]
    assert limit.endswith("Gi")
    assert 2 * 8 * (Settings().gateway.package_mib << 20) <= int(limit.removesuffix("Gi")) << 30
