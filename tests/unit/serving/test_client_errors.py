"""Every name the gateway can refuse with has a type of its own at the client, with what the gateway said."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from streams.errors import Category
from streams.serving import client_errors as errors
from streams.serving.app import create_app
from streams.serving.calls import Call, refusal
from streams.serving.client import AsyncClient
from streams.serving.faults import Refusal
from streams.serving.faults import UnavailableError as Unavailable
from streams.serving.transport import InProcess, Patience, Reply
from streams.serving.wire import Ready
from tests.identity import OPERATOR_TOKEN
from tests.unit.serving.world import ALICE, World


def refusals(kind: type[Refusal] = Refusal) -> Iterator[type[Refusal]]:
    yield kind
    for below in kind.__subclasses__():
        yield from refusals(below)


def test_every_name_has_its_type() -> None:
    names = {kind.error for kind in refusals()} | {category.value for category in Category}
    missing = names - set(errors.TYPES)
    assert not missing, f"streams/serving/client_errors.py lacks a type for {missing}"
    distinct = {name: kind for name, kind in errors.TYPES.items() if name not in set(Category)}
    assert len(set(distinct.values())) == len(distinct)


def test_what_the_gateway_said_is_in_the_error() -> None:
    error = refusal("/v1/x", 429, b'{"error":"rate_limited","message":"too many","hint":"wait"}', "7")
    assert isinstance(error, errors.RateLimitedError)
    assert (error.status, error.error, error.retry_after) == (429, "rate_limited", 7)
    assert (error.message, error.hint) == ("too many", "wait")
    newer = refusal("/v1/x", 418, b'{"error":"teapot","message":"short and stout"}')
    assert (type(newer), newer.error) == (errors.GatewayError, "teapot")
    assert isinstance(refusal("/v1/x", 502, b"<html>"), errors.UnreadableError)
    assert refusal("/v1/x", 503, b'{"error":"unavailable","message":"m"}', "soon").retry_after is None


class Scripted:
    """An Exchange that answers what it was told, and keeps the bodies."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.bodies: list[bytes | None] = []
        self.headers: list[dict[str, str]] = []

    async def __call__(self, call: Call[Ready], headers: dict[str, str], timeout: float) -> Reply:
        self.bodies.append(call.body)
        self.headers.append(headers)
        return self.replies.pop(0)

    async def close(self) -> None:
        pass


LATER = Reply(503, b'{"error":"unavailable","message":"later"}', "0")
STORED = Reply(201, b'{"command_id":"c","memory_id":"0x1","visible":true}')


async def test_a_write_put_off_is_sent_again_with_the_same_command_id() -> None:
    exchange = Scripted(LATER, LATER, STORED)
    async with AsyncClient(exchange=exchange, token="t0ken") as client:
        assert (await client.store(ALICE, "once")).visible
    assert len(exchange.bodies) == 3
    assert len(set(exchange.bodies)) == 1
    assert b"command_id" in (exchange.bodies[0] or b"")
    assert {headers["authorization"] for headers in exchange.headers} == {"Bearer t0ken"}


async def test_patience_has_an_end() -> None:
    exchange = Scripted(LATER, LATER, LATER)
    async with AsyncClient(exchange=exchange) as client:
        with pytest.raises(errors.UnavailableError, match="later"):
            await client.get(ALICE, bytes(32))
    assert len(exchange.bodies) == 3
    for body, header in ((LATER.body, "3600"), (b'{"error":"internal","message":"m"}', "0")):
        exchange = Scripted(Reply(503, body, header))
        async with AsyncClient(exchange=exchange, retries=5) as client:
            with pytest.raises(errors.GatewayError):
                await client.get(ALICE, bytes(32))
        assert len(exchange.bodies) == 1
    with pytest.raises(errors.UnavailableError):  # no pause goes past the call's own deadline
        Patience(timeout=0.5).pause(errors.UnavailableError("later", retry_after=1))


@pytest.mark.parametrize("token", ["", "two words", "line\nbreak", "ünicode"])
def test_a_token_no_header_can_hold_is_refused_and_not_repeated(token: str) -> None:
    with pytest.raises(errors.GatewayError) as refused:
        AsyncClient(token=token)
    assert not token or token not in str(refused.value)


async def test_inside_the_process_the_answers_and_refusals_are_those_of_http(world: World) -> None:
    async with AsyncClient(exchange=InProcess(create_app(world.services)), token=OPERATOR_TOKEN, retries=0) as client:
        receipt = await client.store(ALICE, "prefers ETH", tags=["taste"])
        assert (await client.get(ALICE, receipt.memory_id)).text == "prefers ETH"
        assert [item.id for item in (await client.retrieve(ALICE, tags=["taste"])).items] == [receipt.memory_id]
        with pytest.raises(errors.NotFoundError):
            await client.get(ALICE, bytes(32))
        with pytest.raises(errors.BadRequestError):
            await client.get("0x12", bytes(32))
        with pytest.raises(errors.TooLargeError):
            await client.store(ALICE, "x" * 600_000)
        world.commands.refusal = Unavailable("the log did not acknowledge", retry_after=2)
        with pytest.raises(errors.UnavailableError) as later:
            await client.store(ALICE, "x")
        assert later.value.retry_after == 2


async def test_inside_the_process_a_call_has_a_deadline(world: World) -> None:
    world.commands._store = None
    async with AsyncClient(exchange=InProcess(create_app(world.services)), token=OPERATOR_TOKEN, timeout=0.2) as client:
        started = time.monotonic()
        with pytest.raises(errors.UnreachableError):
            await client.store(ALICE, "x", wait=20)
        assert time.monotonic() - started < 5
