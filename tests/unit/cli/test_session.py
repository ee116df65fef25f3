"""Sessions, moments and what others share from the command line, against a gateway over fakes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from streams.cli import cli
from streams.cli.asking import TimeType
from streams.cli.memory import memory
from streams.cli.session import session
from streams.cli.shared import shared
from streams.serving.app import create_app
from tests.identity import OPERATOR_TOKEN, member
from tests.unit.serving.folding import Folding
from tests.unit.serving.served import served
from tests.unit.serving.world import ALICE, World, client, upsert

AGENT = "0x" + ALICE.hex()
ALL = [(group, name) for group in (memory, session, shared) for name in group.commands]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()
    monkeypatch.setattr(made.commands, "send", Folding(made).send)
    yield made
    made.close()


class Terminal:
    """``monmouth`` as ``token`` opens doors, at one gateway."""

    def __init__(self, url: str, token: str = OPERATOR_TOKEN) -> None:
        self._env = {"MONMOUTH_GATEWAY_URL": url, "MONMOUTH_GATEWAY_TOKEN": token, "COLUMNS": "200"}

    async def run(self, *words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, cli, words, env=self._env)

    async def shown(self, *words: str) -> str:
        result = await self.run(*words)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    async def told(self, *words: str) -> Any:
        return json.loads(await self.shown(*words, "--json"))


async def test_a_session_from_its_opening_to_its_end(world: World) -> None:
    async with served(create_app(world.services)) as url:
        user = Terminal(url)
        one = (await user.told("session", "open", AGENT, "--goal", "trade", "--seconds", "900"))["id"]
        two = (await user.told("session", "open", AGENT))["id"]
        for place, text in ((one, "the usdc pool is thin"), (one, "gas is dear"), (two, "the dai pool is deep")):
            assert "stored" in await user.shown("session", "store", AGENT, place, text)
        assert "nothing found" in await user.shown("query", AGENT, "usdc pool")
        asked = ("session", "ask", AGENT, one, "usdc pool", "-n", "1")
        assert "the usdc pool is thin" in await user.shown(*asked)
        assert (await user.told(*asked, "--as-of-time", "2020-01-01"))["items"] == []
        assert "gas is dear" in await user.shown("session", "read", AGENT, one)
        assert (await user.told("session", "read", AGENT, one, "--as-of-time", "5"))["items"] == []
        changed = await user.told("session", "change", AGENT, one, "--goal", "hold", "--max-memories", "77")
        assert (changed["goal"], changed["max_memories"]) == ("hold", 77)
        assert (await user.told("session", "merge", AGENT, one, two))["count"] == 3
        listed = await user.shown("session", "list", AGENT)
        assert "merged" in listed and "hold" in listed
        assert "closed" in await user.shown("session", "close", AGENT, one, "--promote")
        assert "the usdc pool is thin" in await user.shown("query", AGENT, "usdc pool")
        for wrong in (("ask", AGENT, "none", "x"), ("store", AGENT, one, "late"), ("change", AGENT, one, "--goal", "x")):
            refused = await user.run("session", *wrong)
            assert refused.exit_code == 1, refused.output
        both = await user.run("session", "change", AGENT, one, "--alone", "--collaborator", AGENT)
        assert both.exit_code == 2


async def test_a_collaborator_takes_part_and_an_outsider_does_not(world: World) -> None:
    bob, carol = member(1), member(2)
    async with served(create_app(world.services)) as url:
        name = (await Terminal(url).told("session", "open", AGENT, "--collaborator", bob.name))["id"]
        inside = Terminal(url, world.token_of(bob))
        await inside.shown("session", "store", bob.name, name, "bob took the key", "--owner", AGENT)
        assert "bob took" in await inside.shown("session", "read", bob.name, name, "--owner", AGENT)
        assert "bob took" in await inside.shown("session", "ask", bob.name, name, "the key", "--owner", AGENT)
        outside = Terminal(url, world.token_of(carol))
        refused = await outside.run("session", "ask", carol.name, name, "the key", "--owner", AGENT)
        assert refused.exit_code == 1 and "bob took" not in refused.output
        await Terminal(url).shown("session", "change", AGENT, name, "--alone")
        assert (await inside.run("session", "read", bob.name, name, "--owner", AGENT)).exit_code == 1


async def test_reads_as_of_a_moment(world: World) -> None:
    first = upsert(ALICE, world.grow(time=100), 0, "swapped eth for dai", timestamp=100)
    second = upsert(ALICE, world.grow(time=200), 0, "swapped eth for usdc", timestamp=200)
    await world.remember(first, second)
    names = ["0x" + fact["memory_id"].hex() for fact in (first, second)]
    async with served(create_app(world.services)) as url:
        user = Terminal(url)
        for moment in (("--as-of-block", "1"), ("--as-of-time", "150"), ("--as-of-time", "1970-01-01T00:02:30Z")):
            assert [item["id"] for item in (await user.told("memory", "list", AGENT, *moment))["items"]] == names[:1]
            assert (await user.told("memory", "get", AGENT, names[0], *moment))["id"] == names[0]
            assert (await user.run("memory", "get", AGENT, names[1], *moment)).exit_code == 1
            found = (await user.told("query", AGENT, "swapped eth", *moment))["items"]
            assert [item["citation"]["memory_id"] for item in found] == names[:1]
        assert (await user.told("memory", "list", AGENT, "--valid-at", "150"))["items"] != []
        assert (await user.told("memory", "list", AGENT, "--valid-at", "50"))["items"] == []
        assert len((await user.told("memory", "list", AGENT, "--valid-at", "50", "--include-invalid"))["items"]) == 2
        assert (await user.run("memory", "list", AGENT, "--as-of-block", "99")).exit_code == 1
        assert (await user.run("memory", "list", AGENT, "--as-of-time", "soon")).exit_code == 2


async def test_what_others_share(world: World) -> None:
    alice, bob, carol = member(1), member(2), member(3)
    secret = upsert(alice.agent, world.grow(), 0, "alice swapped eth")
    await world.remember(secret)
    name = "0x" + secret["memory_id"].hex()
    async with client(world, world.token_of(alice)) as http:
        sent = world.commands.__class__.send.__get__(world.commands)  # grants are no matter of the session fold
        world.commands.send = sent  # type: ignore[method-assign]
        await http.post(f"/v1/agents/{alice.name}/grants", json={"grantee": bob.name, "rights": ["read"], "wait": 1})
    async with served(create_app(world.services)) as url:
        inside = Terminal(url, world.token_of(bob))
        assert alice.name in await inside.shown("shared", "query", bob.name, "swapped eth")
        assert "alice swapped" in await inside.shown("shared", "list", bob.name, alice.name)
        assert "alice swapped" in await inside.shown("shared", "get", bob.name, alice.name, name)
        outside = Terminal(url, world.token_of(carol))
        assert "nothing found" in await outside.shown("shared", "query", carol.name, "swapped eth")
        for words in (("query", carol.name, "x", "--owner", alice.name), ("list", carol.name, alice.name)):
            refused = await outside.run("shared", *words)
            assert refused.exit_code == 1 and "alice swapped" not in refused.output


@pytest.mark.parametrize(("group", "name"), ALL, ids=lambda one: one if isinstance(one, str) else one.name)
def test_every_help_of_sessions_and_shared_shows_an_example(group: click.Group, name: str) -> None:
    shown = CliRunner().invoke(group, [name, "--help"])
    assert shown.exit_code == 0
    assert f"monmouth {group.name} {name}" in shown.output


def test_times() -> None:
    kind = TimeType()
    assert kind.convert("1767225600", None, None) == kind.convert("2026-01-01", None, None) == 1_767_225_600
    assert kind.convert("2026-01-01T02:00:00+02:00", None, None) == 1_767_225_600
    for wrong in ("", "soon", "99999-01-01", "²"):
        with pytest.raises(click.BadParameter, match="is no time"):
            kind.convert(wrong, None, None)
