"""Exports and imports through the gateway: what comes out goes in, and comes out the same; nothing altered goes in."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from dataclasses import replace
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from streams.core.ids import claimed_id
from streams.portability import lines
from streams.portability.envelope import closed
from streams.serving import calls
from streams.serving.app import create_app
from streams.serving.client import AsyncClient, Client
from streams.serving.client_errors import UnreadableError
from streams.serving.transport import InProcess
from tests.identity import OPERATOR_TOKEN
from tests.steps import step_undo
from tests.unit.serving.served import served
from tests.unit.serving.world import ALICE, BOB, World, client, upsert

A, B = f"/v1/agents/0x{ALICE.hex()}", f"/v1/agents/0x{BOB.hex()}"


async def populated(world: World) -> None:
    ref = world.grow()
    await world.remember(*[upsert(ALICE, ref, i, f"memory {i}") for i in range(5)], upsert(BOB, ref, 9, "bob's"))
    async with client(world) as http:
        assert (await http.post(f"{A}/memories", json={"text": "by command", "wait": 1})).status_code == 201
    await world.publish(ALICE)
    await world.publish(BOB)


async def exported(world: World, **params: Any) -> bytes:
    async with client(world) as http:
        answer = await http.get(f"{A}/export", params=params)
    assert answer.status_code == 200, answer.text
    return b64decode(answer.json()["package_base64"])


async def taken_in(world: World, data: bytes, path: str = A, **fields: Any) -> httpx.Response:
    async with client(world) as http:
        return await http.post(f"{path}/import?wait=1", json={"package_base64": b64encode(data).decode(), **fields})


@pytest.mark.parametrize("params", [{}, {"format": "avro"}, {"compress": True}, {"format": "avro", "compress": True}], ids=str)
async def test_out_in_and_out_again_is_equal_to_the_byte(world: World, params: dict[str, Any]) -> None:
    await populated(world)
    first = await exported(world, **params)
    restored = World()
    answer = await taken_in(restored, first)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["count"], answer.json()["restored"], answer.json()["visible"]) == (6, True, True)
    assert (await taken_in(restored, first)).json()["visible"], "twice is once"
    await restored.publish(ALICE)
    assert await exported(restored, **params) == first


async def test_a_package_says_what_it_holds(world: World) -> None:
    await populated(world)
    async with client(world) as http:
        said = (await http.get(f"{A}/export")).json()
    package = lines.read(b64decode(said["package_base64"]))
    assert said["digest"] == f"0x{package.digest.hex()}" and said["manifest"] == package.manifest
    assert {memory["content"] for memory in package.memories} == {b"by command", *(f"memory {i}".encode() for i in range(5))}


async def test_what_a_stranger_signed_is_refused_or_taken_as_a_claim(world: World) -> None:
    stranger = World(signing_key=b"t" * 32)
    await populated(stranger)
    data = await exported(stranger)
    refused = await taken_in(world, data)
    assert refused.status_code == 400 and "not trusted here" in refused.json()["message"]
    assert not world.commands.sent
    taken = await taken_in(world, data, accept_unknown=True)
    assert (taken.json()["restored"], taken.json()["count"]) == (False, 6)
    digest = bytes.fromhex(taken.json()["digest"][2:])
    assert {command["memory"] and command["memory"]["imported_from"] for command in world.commands.sent} == {digest}


async def test_a_claim_stays_one_when_it_is_exported_and_imported_again(world: World) -> None:
    stranger = World(signing_key=b"t" * 32)
    await populated(stranger)
    digest = bytes.fromhex((await taken_in(world, await exported(stranger), accept_unknown=True)).json()["digest"][2:])
    async with client(world) as http:
        assert (await http.post(f"{A}/memories", json={"text": "of this house", "wait": 1})).status_code == 201
    await world.publish(ALICE)
    ours, restored = await exported(world), World()
    assert (await taken_in(restored, ours)).json()["restored"]
    origins = {one["memory"]["content"]: one["memory"]["imported_from"] for one in restored.commands.sent if one["memory"]}
    assert origins.pop(b"of this house") is None
    assert len(origins) == 6 and set(origins.values()) == {digest}
    await restored.publish(ALICE)
    assert await exported(restored) == ours
    package = lines.read(ours)
    assert package.attestation is not None
    bare = replace(package, attestation={name: package.attestation[name] for name in package.attestation if name != "claims"})
    assert (await taken_in(World(), lines.write(bare), accept_unknown=True)).status_code == 400, "the signature covers them"


async def test_a_claim_keeps_its_edges(world: World) -> None:
    """Under the ids that claims get: those of the file are not theirs any more."""
    stranger = World(signing_key=b"t" * 32)
    async with client(stranger) as http:
        old = (await http.post(f"{A}/memories", json={"text": "tea", "wait": 1})).json()["memory_id"]
        newer = {"text": "coffee", "wait": 1, "supersedes": [{"memory_id": old}]}
        assert (await http.post(f"{A}/memories/supersede", json=newer)).status_code == 201
    await stranger.publish(ALICE)
    taken = (await taken_in(world, await exported(stranger), accept_unknown=True)).json()
    assert (taken["count"], taken["visible"]) == (2, True)
    by_text = {one["memory"]["content"]: one["memory"] for one in world.commands.sent if one["memory"]}
    (edge,) = by_text[b"coffee"]["edges"]
    assert edge["target"] == by_text[b"tea"]["id"] == claimed_id(ALICE, bytes.fromhex(old[2:]), b"tea")
    async with client(world) as http:
        assert (await http.get(f"{A}/memories/{old}")).status_code == 404
        assert [item["text"] for item in (await http.get(f"{A}/memories")).json()["items"]] == ["coffee"]


async def test_nothing_altered_goes_in(world: World) -> None:
    await populated(world)
    data = await exported(world)
    for place in range(0, len(data), 97):
        altered = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        answer = await taken_in(world, altered, accept_unknown=True)
        assert answer.status_code == 400, (place, answer.text)
    assert all(command["op"] != "IMPORT" for command in world.commands.sent)


@pytest.mark.parametrize(
    "data", [b"junk", b"{}", closed(b"x", "secret"), b"Obj\x01x"], ids=["junk", "json", "encrypted", "avro"]
)
async def test_files_nobody_knows_are_refused(world: World, data: bytes) -> None:
    answer = await taken_in(world, data)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_request")


async def test_base64_that_is_none_is_refused(http: httpx.AsyncClient) -> None:
    assert (await http.post(f"{A}/import", json={"package_base64": "!"})).status_code == 400


async def test_another_agents_package_is_refused(world: World) -> None:
    await populated(world)
    answer = await taken_in(world, await exported(world), path=B)
    assert answer.status_code == 400 and "holds memories of" in answer.json()["message"]


async def test_another_products_file_becomes_memories(world: World) -> None:
    answer = await taken_in(world, b'[{"memory": "likes tea", "id": "1"}, {"memory": ""}]')
    assert answer.status_code == 200, answer.text
    assert (answer.json()["product"], answer.json()["count"], answer.json()["skipped"]) == ("mem0", 1, 1)
    async with client(world) as http:
        (item,) = (await http.get(f"{A}/memories")).json()["items"]
    assert (item["text"], item["citation"]["source"]) == ("likes tea", "IMPORT")


async def test_no_memories_are_no_package(world: World) -> None:
    async with client(world) as http:
        assert (await http.get(f"{A}/export")).status_code == 404


async def test_what_was_undone_is_not_in_a_package_and_an_import_of_it_stands(world: World) -> None:
    await populated(world)
    data = await exported(world)
    gone = world.blocks[-1]
    assert world.chain.view.sequence is not None
    world.chain.view.apply(step_undo(world.chain.view.sequence + 1, [gone], world.blocks[-2]))
    await world.publish(ALICE, world.blocks[-2])
    assert len(lines.read(await exported(world)).memories) == 1
    assert (await taken_in(world, data)).json()["restored"]
    async with client(world) as http:
        for memory in lines.read(data).memories:
            assert (await http.get(f"{A}/memories/0x{memory['id'].hex()}")).status_code == 200


async def test_a_root_the_store_does_not_make_is_no_package(world: World) -> None:
    await populated(world)
    await world.remember(upsert(ALICE, world.blocks[-1], 70, "not in the root"))
    async with client(world) as http:
        answer = await http.get(f"{A}/export")
    assert (answer.status_code, answer.json()["error"]) == (409, "not_settled")


def earlier(app: ASGIApp) -> ASGIApp:
    """A gateway that does not know ``raw`` yet."""

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        if "query_string" in scope:
            scope = {**scope, "query_string": scope["query_string"].replace(b"&raw=True", b"")}
        await app(scope, receive, send)

    return answering


async def test_a_gateway_that_knows_no_files_gives_the_same_file(world: World) -> None:
    await populated(world)
    file, app = await exported(world), earlier(create_app(world.services))
    async with AsyncClient(exchange=InProcess(app), token=OPERATOR_TOKEN) as inside, served(app) as url:
        assert await inside.export_file(ALICE) == file
        async with AsyncClient(url, token=OPERATOR_TOKEN) as http:
            assert await http.export_file(ALICE) == file
        with Client(url, token=OPERATOR_TOKEN) as blocking:
            assert await asyncio.to_thread(lambda: blocking.export_file(ALICE)) == file


@pytest.mark.parametrize("body", [b"{}", b"[", b'{"manifest":{}}'])
def test_json_that_is_no_package_is_no_file(body: bytes) -> None:
    call = calls.export_file(ALICE)
    with pytest.raises(UnreadableError):
        call.read(200, body, None, "application/json; charset=utf-8")
    assert call.read(200, body, None, "application/octet-stream").content == body
    assert calls.export_dashboard("json").read(200, body, None, "application/json").content == body
