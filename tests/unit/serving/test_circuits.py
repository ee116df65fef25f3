"""Circuits by hand: what an operator does reaches the calls of this process, and nobody else may."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from click.testing import CliRunner, Result

from streams.cli.circuits import circuits
from streams.errors import StoreError
from streams.policy import CircuitOpenError, Policy, policy_for
from streams.serving.app import create_app
from streams.serving.client import Client
from streams.serving.client_errors import InvalidError, NotFoundError
from streams.settings import Settings
from tests.identity import OPERATOR_TOKEN, member
from tests.unit.serving.served import served
from tests.unit.serving.world import World, client

NAME = "store http://10.0.0.7:9042/a b"


@pytest.fixture
def circuit() -> Iterator[Policy]:
    yield policy_for(NAME)


@pytest.fixture
async def url(world: World, circuit: Policy) -> AsyncIterator[str]:
    async with served(create_app(world.services)) as found:
        yield found


async def answered() -> str:
    return "answer"


async def test_by_hand_over_rest(url: str, circuit: Policy) -> None:
    with Client(url, token=OPERATOR_TOKEN) as operator:
        opened = await asyncio.to_thread(operator.open_circuit, NAME)
        assert (opened.state, opened.retry_after, opened.why) == ("open", None, "closed off by hand")
        with pytest.raises(CircuitOpenError):
            await circuit.call(answered)
        closed = await asyncio.to_thread(operator.close_circuit, NAME)
        assert (closed.state, closed.failures, closed.why) == ("closed", 0, "")
        assert await circuit.call(answered) == "answer"
        timed = await asyncio.to_thread(operator.open_circuit, NAME, 600)
        assert timed.state == "open"
        assert timed.retry_after is not None
        assert 0 < timed.retry_after <= 600
        listed = await asyncio.to_thread(operator.circuits)
        (found,) = [one for one in listed.circuits if one.name == NAME]
        assert (found.state, found.mean_seconds is not None) == ("open", True)
        fresh = await asyncio.to_thread(operator.reset_circuit, NAME)
        assert (fresh.state, fresh.mean_seconds) == ("closed", None)


async def test_one_that_failed_says_what_it_met(url: str, circuit: Policy) -> None:
    for _ in range(circuit.terms.failures):
        with pytest.raises(StoreError), circuit.guarded():
            raise StoreError("gone fishing")
    with Client(url, token=OPERATOR_TOKEN) as operator:
        listed = await asyncio.to_thread(operator.circuits)
        (found,) = [one for one in listed.circuits if one.name == NAME]
        assert (found.state, found.why, found.failures) == ("open", "gone fishing", circuit.terms.failures)
        assert (await asyncio.to_thread(operator.close_circuit, NAME)).state == "closed"


async def test_what_is_not_there_or_no_request_is_refused(url: str) -> None:
    with Client(url, token=OPERATOR_TOKEN) as operator:
        for act in (operator.open_circuit, operator.close_circuit, operator.reset_circuit):
            with pytest.raises(NotFoundError, match="no circuit 'nobody'"):
                await asyncio.to_thread(act, "nobody")
    async with httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {OPERATOR_TOKEN}"}) as http:
        for body in (
            {},
            {"name": ""},
            {"name": NAME, "seconds": -1},
            {"name": NAME, "seconds": 1e9},
            {"name": NAME, "more": 1},
        ):
            assert (await http.post("/v1/circuits/open", json=body)).status_code == 422
    with Client(url, token=OPERATOR_TOKEN) as operator:
        for name, seconds in (("", None), (NAME, 0.0), ("x" * 2_000, None)):
            with pytest.raises(InvalidError):
                await asyncio.to_thread(operator.open_circuit, name, seconds)


async def test_only_the_operator_may(world: World, circuit: Policy) -> None:
    async with client(world, world.token_of(member(1))) as http:
        for verb in ("open", "close", "reset"):
            assert (await http.post(f"/v1/circuits/{verb}", json={"name": NAME})).status_code == 403
        assert (await http.get("/v1/circuits")).status_code == 403
    assert await circuit.call(answered) == "answer"


async def run(url: str, *arguments: str) -> Result:
    variables = {"COLUMNS": "400", "MONMOUTH_GATEWAY_TOKEN": OPERATOR_TOKEN, "MONMOUTH_GATEWAY_TOKEN_FILE": None}
    command = [*arguments, "--url", url]
    return await asyncio.to_thread(CliRunner().invoke, circuits, command, obj=Settings(), env=variables)


async def test_by_command(url: str) -> None:
    for arguments, said in (
        (["open", NAME], f"{NAME}: open, closed off by hand\n"),
        (["close", NAME], f"{NAME}: closed\n"),
        (["open", NAME, "--seconds", "600"], f"{NAME}: open, tried again in 600 s; closed off by hand\n"),
        (["reset", NAME], f"{NAME}: closed\n"),
    ):
        result = await run(url, *arguments)
        assert (result.exit_code, result.output) == (0, said)
    found = json.loads((await run(url, "list", "--json")).output)
    assert {"name": NAME, "state": "closed"}.items() <= next(one for one in found["circuits"] if one["name"] == NAME).items()
    assert "closed" in (await run(url, "list")).output
    unknown = await run(url, "close", "nobody")
    assert unknown.exit_code == 1
    assert isinstance(unknown.exception, NotFoundError)
