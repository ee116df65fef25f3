"""``monmouth agent`` against a gateway on a real port: keys, registration, tokens, grants, and what is refused."""

from __future__ import annotations

import asyncio
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.cli import main
from streams.identity.binding import Account
from streams.identity.key_file import load_account, load_key, make_key
from streams.serving.app import create_app
from tests.identity import OPERATOR_TOKEN, Member, member
from tests.unit.serving.served import served
from tests.unit.serving.world import World

BOB = member(2)
SECRET = b"\x5a" * 32


async def run(world: World, *argv: str) -> int:
    async with served(create_app(world.services)) as url:
        return await asyncio.to_thread(main, ["agent", *argv, "--gateway", url])


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("TOKEN", "TOKEN_FILE", "URL"):
        monkeypatch.delenv(f"MONMOUTH_GATEWAY_{name}", raising=False)
    monkeypatch.setenv("MONMOUTH_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def alice(tmp_path: Path) -> Member:
    """With ``alice.account`` and ``alice.key`` in the folder."""
    account = tmp_path / "alice.account"
    account.write_text(f"0x{SECRET.hex()}\n")
    account.chmod(0o600)
    return Member(Account(SECRET), make_key(tmp_path / "alice.key"))


@pytest.fixture
def files(alice: Member, tmp_path: Path) -> list[str]:
    return ["--key-file", str(tmp_path / "alice.key"), "--account-file", str(tmp_path / "alice.account")]


def test_a_key_file_is_private_and_never_overwritten(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.key"
    assert main(["agent", "key", "new", str(file)]) == 0
    shown, held = capfd.readouterr().out.strip(), file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (shown, len(bytes.fromhex(shown[2:]))) == ("0x" + load_key(file).public.hex(), 48)
    assert main(["agent", "key", "new", str(file)]) == 1
    assert file.read_text() == held
    assert [path.name for path in tmp_path.iterdir()] == ["a.key"]
    assert main(["agent", "key", "show", str(file)]) == 0
    said = capfd.readouterr()
    assert said.out.strip() == shown and "is there already" in said.err and held.strip() not in said.out + said.err
    assert main(["agent", "key", "new", str(tmp_path / "none" / "a.key")]) == 1


@pytest.mark.parametrize("content", ["", "zz" * 32, "00" * 32, "5a" * 31, "ff" * 32])
def test_a_file_that_holds_no_key_is_refused_and_not_shown(
    content: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.key"
    file.write_text(content)
    file.chmod(0o600)
    assert main(["agent", "key", "show", str(file)]) == 1
    said = capfd.readouterr()
    assert "Traceback" not in said.err and (not content or content not in said.err + said.out)


def test_files_open_to_others_are_refused(alice: Member, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name, load in (("alice.key", load_key), ("alice.account", load_account)):
        (tmp_path / name).chmod(0o640)
        with pytest.raises(Exception, match="open to others"):
            load(tmp_path / name)
    assert main(["agent", "key", "show", str(tmp_path / "alice.key")]) == 1
    assert "chmod 600" in capfd.readouterr().err


async def test_from_an_account_to_a_token_and_to_its_end(
    world: World, alice: Member, files: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = files[:2]
    assert await run(world, "token", alice.name, *key) == 1, "no key is registered"
    assert capfd.readouterr().out == ""
    assert await run(world, "register", alice.name, *files) == 0
    assert alice.key.public.hex() in capfd.readouterr().out
    assert await run(world, "token", alice.name, *key) == 0
    token = capfd.readouterr().out.strip()
    monkeypatch.setenv("MONMOUTH_GATEWAY_TOKEN", token)
    assert await run(world, "grants", alice.name) == 0, "the token opens its agent's doors"
    assert await run(world, "grants", BOB.name) == 1
    assert await run(world, "revoke", alice.name) == 0
    assert world.access.rows[alice.agent]["public_key"] is None
    assert await run(world, "grants", alice.name) == 1
    said = capfd.readouterr()
    assert token not in said.out + said.err


async def test_a_wallet_signs_elsewhere(
    world: World, alice: Member, files: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    key = files[:2]
    assert await run(world, "register", alice.name, *key, "--text") == 0
    said = capfd.readouterr()
    issued = said.err.split("--issued ")[1].split()[0]
    assert said.out.endswith(f"Issued: {issued}") and alice.key.public.hex() in said.out
    wrong = BOB.account.sign(said.out).hex()
    assert await run(world, "register", alice.name, *key, "--issued", issued, "--signature", wrong) == 1
    assert alice.agent not in world.access.rows
    right = "0x" + alice.account.sign(said.out).hex()
    assert await run(world, "register", alice.name, *key, "--issued", str(int(issued) - 1), "--signature", right) == 1
    assert await run(world, "register", alice.name, *key, "--issued", issued, "--signature", right) == 0
    assert world.access.rows[alice.agent]["public_key"] == alice.key.public


async def test_the_account_revokes_a_key_that_is_lost(
    world: World, alice: Member, files: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    world.access.take(alice.registration(int(time.time()) - 5))
    assert await run(world, "revoke", BOB.name, *files[2:]) == 1, "another's account"
    assert await run(world, "revoke", alice.name) == 1, "nobody"
    assert world.access.rows[alice.agent]["public_key"] is not None
    assert await run(world, "revoke", alice.name, *files[2:]) == 0
    assert SECRET.hex() not in "".join(capfd.readouterr())
    assert world.commands.raw


async def test_grants_are_given_listed_and_taken_back(
    world: World, alice: Member, files: list[str], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.access.take(alice.registration())
    both, key = (alice.name, BOB.name), files[:2]
    argv = ("--rights", "write,read", "--namespace", "team", "--until", "2100-01-01")
    assert await run(world, "grant", *both, *argv, *key) == 0
    assert await run(world, "grant", *both, "--rights", "read", *key) == 0
    capfd.readouterr()
    assert await run(world, "grants", alice.name, *key) == 0
    lines = set(capfd.readouterr().out.splitlines())
    assert lines == {f"{BOB.name} read,write: tag team, until 2100-01-01 00:00:00 UTC", f"{BOB.name} read: everything"}
    assert await run(world, "ungrant", *both, *key) == 0
    monkeypatch.setenv("MONMOUTH_GATEWAY_TOKEN", OPERATOR_TOKEN)
    assert await run(world, "grants", alice.name, "--json") == 0
    assert '"namespace": "team"' in capfd.readouterr().out


@pytest.mark.parametrize(
    "argv",
    [
        ["register", BOB.name, "--key-file", "alice.key"],
        ["register", BOB.name, "--key-file", "alice.key", "--text", "--account-file", "alice.account"],
        ["register", BOB.name, "--key-file", "alice.key", "--signature", "0x12"],
        ["register", BOB.name, "--key-file", "alice.key", "--signature", "zz", "--issued", "1"],
        ["register", BOB.name, "--text"],
        ["revoke", BOB.name, "--key-file", "alice.key", "--account-file", "alice.account"],
        ["grant", BOB.name, BOB.name],
        ["grant", BOB.name, BOB.name, "--rights", "admin"],
        ["grant", BOB.name, BOB.name, "--rights", "read", "--until", "tomorrow"],
        ["grant", BOB.name, BOB.name, "--rights", "read", "--until", "2001-01-01"],
    ],
)
def test_wrong_usage(argv: list[str], alice: Member, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["agent", *argv]) == 2


async def test_another_accounts_file_registers_nothing(
    world: World, alice: Member, files: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert await run(world, "register", BOB.name, *files) == 1
    assert alice.name in capfd.readouterr().err
    assert world.commands.sent == []


@pytest.mark.parametrize("name", ["", "key", "register", "revoke", "token", "grant", "ungrant", "grants"])
def test_help_has_examples(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["agent", *name.split(), "--help"]) == 0
    assert "monmouth agent" in capfd.readouterr().out.split("Example")[1]
