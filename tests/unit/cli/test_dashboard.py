"""``monmouth dashboard``: its address, and files that are byte for byte what the gateway gives."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from streams.cli import main
from streams.serving.app import create_app
from tests.identity import OPERATOR_TOKEN, bearer
from tests.unit.serving.ops.said import NOW, health
from tests.unit.serving.served import served
from tests.unit.serving.world import World


def test_the_address_is_that_of_the_settings_or_of_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MONMOUTH_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("MONMOUTH_GATEWAY__PORT", "8123")
    assert main(["dashboard"]) == 0
    assert main(["dashboard", "--gateway", "http://gateway.example:9/"]) == 0
    assert capsys.readouterr().out.split() == ["http://127.0.0.1:8123/dashboard", "http://gateway.example:9/dashboard"]


async def test_files_are_the_same_bytes_as_those_of_the_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    world = World()
    world.board.take_health(health("worker", NOW), NOW)
    world.board.advance(NOW)
    monkeypatch.setenv("MONMOUTH_GATEWAY_TOKEN", OPERATOR_TOKEN)
    monkeypatch.setenv("MONMOUTH_STATE_DIR", str(tmp_path))
    async with (
        served(create_app(world.services)) as url,
        httpx.AsyncClient(base_url=url, headers=bearer(OPERATOR_TOKEN)) as http,
    ):
        for name in ("json", "csv", "html"):
            said = (await http.get(f"/api/dashboard/export/{name}")).content
            file = tmp_path / f"state.{name}"
            command = ["dashboard", "export", "--format", name, "--gateway", url]
            assert await asyncio.to_thread(main, [*command, "--out", str(file)]) == 0
            assert file.read_bytes() == said
            capfdbinary.readouterr()
            assert await asyncio.to_thread(main, ["dashboard", "--gateway", url, *command[1:-2]]) == 0
            assert capfdbinary.readouterr().out == said
        capfdbinary.readouterr()
        assert await asyncio.to_thread(main, [*command, "--out", str(tmp_path / "nowhere" / "x")]) == 1
        assert b"cannot write" in capfdbinary.readouterr().err
        monkeypatch.setenv("MONMOUTH_GATEWAY_TOKEN", "x" * 40)
        assert await asyncio.to_thread(main, command) == 1
        assert b"Traceback" not in capfdbinary.readouterr().err
    world.close()
