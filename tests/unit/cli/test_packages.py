"""``monmouth export`` and ``import`` against a gateway on a real port: files, passphrases, refusals."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from streams.cli import main
from streams.portability import lines
from streams.portability.envelope import MAGIC
from streams.serving.app import create_app
from tests.unit.serving.served import served
from tests.unit.serving.test_packages import populated
from tests.unit.serving.world import ALICE, OPERATOR_TOKEN, World

AGENT = f"0x{ALICE.hex()}"


@pytest.fixture
def token_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "token"
    file.write_text(OPERATOR_TOKEN)
    file.chmod(0o600)
    monkeypatch.setenv("MONMOUTH_GATEWAY_TOKEN_FILE", str(file))
    return file


async def run(world: World, *argv: str) -> int:
    async with served(create_app(world.services)) as url:
        return await asyncio.to_thread(main, [*argv, "--gateway", url])


async def test_a_file_goes_out_and_in(token_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    world, other, file = World(), World(), str(tmp_path / "agent.jsonl")
    await populated(world)
    assert await run(world, "export", AGENT, "-o", file) == 0
    assert len(lines.read(Path(file).read_bytes()).memories) == 6
    assert await run(other, "import", AGENT, file) == 0
    assert "6 memories restored" in capfd.readouterr().out
    assert not list(tmp_path.glob("*.part"))


async def test_a_passphrase_locks_and_opens_it(
    token_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    world, file = World(), str(tmp_path / "agent.mmth")
    await populated(world)
    monkeypatch.setenv("MONMOUTH_PACKAGE_PASSPHRASE", "correct horse")
    assert await run(world, "export", AGENT, "-o", file, "--encrypt") == 0
    data = Path(file).read_bytes()
    assert data.startswith(MAGIC) and b"by command" not in data
    assert await run(World(), "import", AGENT, file) == 0
    monkeypatch.setenv("MONMOUTH_PACKAGE_PASSPHRASE", "wrong")
    assert await run(World(), "import", AGENT, file) == 1
    monkeypatch.delenv("MONMOUTH_PACKAGE_PASSPHRASE")
    assert await run(World(), "import", AGENT, file) == 1
    assert await run(world, "export", AGENT, "-o", file, "--encrypt") == 2
    said = capfd.readouterr()
    assert "the package is encrypted" in said.err and "correct horse" not in said.err + said.out


async def test_a_passphrase_file_open_to_others_is_refused(
    token_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    world, secret = World(), tmp_path / "secret"
    await populated(world)
    secret.write_text("correct horse")
    secret.chmod(0o644)
    argv = ("export", AGENT, "-o", str(tmp_path / "a"), "--encrypt", "--passphrase-file", str(secret))
    assert await run(world, *argv) == 1
    assert "chmod 600" in capfd.readouterr().err
    secret.chmod(0o600)
    assert await run(world, *argv) == 0


async def test_files_that_are_not_there_or_altered(token_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    world = World()
    assert await run(world, "import", AGENT, str(tmp_path / "none")) == 1
    (tmp_path / "junk").write_bytes(b"junk")
    assert await run(world, "import", AGENT, str(tmp_path / "junk")) == 1
    assert await run(world, "export", AGENT, "-o", str(tmp_path / "empty")) == 1
    err = capfd.readouterr().err
    assert "cannot be read" in err and "no JSON document" in err and "Traceback" not in err
    assert not (tmp_path / "empty").exists()
