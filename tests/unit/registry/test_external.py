"""Registering at a registry elsewhere: with import mode, with ids of its own counting, and where it must say no."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from pydantic import SecretStr
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.registry import Answer, ExternalRegistry, RegistryAwayError, RegistryRefusedError
from infra.broker.ports import free_port
from streams.core.registry import table as tables
from streams.core.registry.compatibility import Level
from streams.core.registry.decide import Wanted, register
from streams.errors import ConfigurationError
from streams.serving.app import create_app
from streams.settings import RegistrySettings
from streams.subjects import LEVEL, own_subjects
from tests.identity import OPERATOR_TOKEN
from tests.unit.serving.world import World

OWN = own_subjects("m.")


class Counting:
    """A registry without modes, which counts ids by itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if "/mode" in scope.get("path", ""):
            await JSONResponse({"error_code": 405, "message": "no modes"}, 405)(scope, receive, send)
            return
        await self._app(scope, receive, send)


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[RegistrySettings]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.01)
        url = f"http://127.0.0.1:{port}/registry/"
        yield RegistrySettings(url=url, user="operator", password=SecretStr(OPERATOR_TOKEN))
    finally:
        server.should_exit = True
        await task


async def registered(settings: RegistrySettings, wanted: list[Wanted], *, dry_run: bool = False) -> int:
    async with ExternalRegistry(settings) as registry:
        return len(await registry.register(wanted, LEVEL, dry_run=dry_run))


async def test_with_import_mode_the_ids_are_those_of_the_wire(world: World) -> None:
    """Also where others registered before, and a second time changes nothing."""
    table = world.services.registry.table
    async with serving(create_app(world.services)) as settings:
        await world.services.registry.change(lambda known: register(known, "theirs", '"int"'))
        assert await registered(settings, OWN, dry_run=True) == len(OWN)
        assert table.subjects() == ["theirs"]
        assert await registered(settings, OWN) == len(OWN)
        assert await registered(settings, OWN) == 0
    found = {(v.subject, v.id, v.text) for subject in table.subjects() for v in table.versions(subject)}
    assert {(one.subject, one.id, one.text) for one in OWN} == found - {("theirs", tables.FIRST_FREE_ID, '"int"')}
    assert table.mode(OWN[0].subject) == "READWRITE" and table.own_mode(OWN[0].subject) is None
    assert table.own_level(OWN[0].subject) is Level.BACKWARD_TRANSITIVE


class KilledError(Exception):
    """The program ends here, and does nothing more."""


@pytest.mark.parametrize("after", range(5))
async def test_no_subject_is_left_in_import_mode_by_one_who_was_killed(
    world: World, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Wherever it happens: the next one takes it out, whether the schema was registered or not."""
    table, subject, asked = world.services.registry.table, OWN[0].subject, 0
    asking = ExternalRegistry._ask

    async def killed(self: ExternalRegistry, method: str, path: str, body: object = None) -> Answer:
        nonlocal asked
        if method != "GET":
            asked += 1
            if asked > after:
                raise KilledError
        return await asking(self, method, path, body)

    async with serving(create_app(world.services)) as settings:
        with monkeypatch.context() as cutting:
            cutting.setattr(ExternalRegistry, "_ask", killed)
            with pytest.raises(KilledError):
                await registered(settings, OWN[:1])
        assert (table.own_mode(subject) == "IMPORT") == (after in {2, 3})
        await registered(settings, OWN[:1])
    assert table.own_mode(subject) is None
    assert [version.id for version in table.versions(subject)] == [OWN[0].id]


async def test_a_registry_that_counts_gives_the_right_ids_if_it_is_empty(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "FIRST_FREE_ID", 1)
    async with serving(Counting(create_app(world.services))) as settings:
        assert await registered(settings, OWN) == len(OWN)
        assert await registered(settings, OWN) == 0


async def test_a_registry_that_counts_and_was_used_is_refused_and_left_as_it_was(world: World) -> None:
    async with serving(Counting(create_app(world.services))) as settings:
        with pytest.raises(RegistryRefusedError, match="under id 100001; records carry id 1") as refused:
            await registered(settings, OWN)
        assert "/registry" in refused.value.hint
    assert world.services.registry.table.subjects(deleted=True) == []


async def test_what_is_incompatible_there_is_refused_with_the_reason(world: World) -> None:
    other = json.dumps({"type": "record", "name": "Other", "fields": []})
    async with serving(create_app(world.services)) as settings:
        await world.services.registry.change(lambda known: register(known, OWN[0].subject, other))
        with pytest.raises(RegistryRefusedError, match=r"incompatible with m\.chain\.blocks-value: .*NAME_MISMATCH"):
            await registered(settings, OWN)
        with pytest.raises(RegistryRefusedError, match="incompatible"):
            await registered(settings, OWN, dry_run=True)


async def test_another_id_of_the_same_schema_is_refused(world: World) -> None:
    async with serving(create_app(world.services)) as settings:
        await world.services.registry.change(lambda known: register(known, OWN[0].subject, OWN[0].text))
        with pytest.raises(RegistryRefusedError, match="records carry id 1"):
            await registered(settings, OWN)


async def test_who_may_not_write_is_told_what_to_check(world: World) -> None:
    async with serving(create_app(world.services)) as settings:
        settings.password = SecretStr("wrong" * 10)
        with pytest.raises(RegistryRefusedError, match="status 401") as refused:
            await registered(settings, OWN)
        assert "registry.password" in refused.value.hint
        assert "wrong" * 10 not in str(refused.value)


async def test_a_password_from_a_file(world: World, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(OPERATOR_TOKEN + "\n")
    async with serving(create_app(world.services)) as settings:
        settings.password, settings.password_file = SecretStr(""), file
        with pytest.raises(ConfigurationError, match="open to others"):
            await registered(settings, OWN[:1])
        file.chmod(0o600)
        assert await registered(settings, OWN[:1]) == 1
        file.unlink()
        with pytest.raises(ConfigurationError, match="not readable"):
            await registered(settings, OWN[:1])


async def test_nobody_there() -> None:
    with pytest.raises(RegistryRefusedError, match=r"no registry answers at http://127\.0\.0\.1:"):
        await registered(RegistrySettings(url=f"http://127.0.0.1:{free_port()}/x"), OWN)


@pytest.mark.parametrize("url", ["registry:8081", "ftp://x", "http://", "http://me:secret@host", "http://host?key=secret"])
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        ExternalRegistry(RegistrySettings(url=url))
    assert "secret" not in str(refused.value)


async def test_a_registry_that_does_not_answer_is_asked_three_times() -> None:
    async with ExternalRegistry(RegistrySettings(url=f"http://127.0.0.1:{free_port()}")) as registry:
        with pytest.raises(RegistryAwayError, match="no registry answers"):
            await registry.register(OWN, LEVEL)
        assert registry._policy.breaker.view().failures == 3
