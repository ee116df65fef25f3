"""Erasing through the gateway: order, crashes between steps, the receipt, what is refused afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from schemas.codec import using
from schemas.defaults import plain_command
from streams.cli import main
from streams.core.lthash import ZERO
from streams.core.merkle.document import parse
from streams.errors import StoreError
from streams.serving import eraser as erasing
from streams.serving.eraser import Eraser
from streams.serving.faults import UnavailableError
from streams.signing import Signer, Verifier
from streams.vault.errors import ErasedError, VaultError
from streams.vault.receipt import EMPTY_ROOT, FORMAT, UNPROVEN_FORMAT, absence_of, check, proven, signed
from streams.vault.sealing import SealingCodec
from tests.serving_fakes import FakeVectorStore
from tests.unit.serving.world import ALICE, BOB, World, upsert

TRUSTED = Verifier([Signer(b"s" * 32).public])
URL = f"/v1/agents/0x{ALICE.hex()}"


def restarted(world: World) -> Eraser:
    """That of a new process."""
    return replace(world.eraser, _busy={}, _sent={}, _outages={})


async def settled(world: World, agent: bytes = ALICE) -> None:
    """What the stream agents do about an ERASE."""
    while not world.commands.sent or world.commands.sent[-1]["op"] != "ERASE":
        await asyncio.sleep(0.01)
    world.commands.erase(agent)
    await world.index.delete(
        [(agent, hit.memory_id) for hit in await world.index.search(agent, world.embedder.embed(["x"])[0], 99)]
    )
    if agent in world.roots.rows:
        await world.publish(agent)
        world.roots.rows[agent] = replace(world.roots.rows[agent], checksum=ZERO.checksum())


async def filled(world: World) -> None:
    ref = world.grow()
    await world.remember(upsert(ALICE, ref, 0, "one"), upsert(ALICE, ref, 1, "two"), upsert(BOB, ref, 2, "other"))
    for agent in (ALICE, BOB):
        await world.publish(agent)
        world.keys.get_or_create(agent)


async def test_nothing_is_signed_and_no_key_destroyed_before_everything_is_gone(http: httpx.AsyncClient, world: World) -> None:
    await filled(world)
    keys = world.keys.get(ALICE)
    assert keys is not None
    begun = await http.delete(URL)
    assert (begun.status_code, begun.json()["receipt"]) == (202, None)
    assert (await http.get(f"{URL}/erasure")).json() == {"agent": f"0x{ALICE.hex()}", "done": False, "receipt": None}
    world.commands.erase(ALICE)  # memories are gone; a vector and the root are still there
    assert (await http.delete(URL)).status_code == 202
    assert world.keys.get(ALICE) is not None
    await settled(world)
    done = await http.delete(URL, params={"wait": 5})
    assert done.status_code == 200
    receipt = check(done.json()["receipt"], TRUSTED)
    assert receipt["memories"] == 2
    assert receipt["keys_destroyed"] == [keys.newest.key_id.hex()]
    assert receipt["root_before"]["count"] == 2
    assert receipt["root_after"] == EMPTY_ROOT and proven(receipt)
    ref = world.blocks[-1]
    assert receipt["place"] == {
        "topic": "memory.erasures", "partition": 0, "offset": 0, "block": [ref.number, f"0x{ref.hash.hex()}"]
    }  # fmt: skip
    assert world.keys.erased(ALICE)
    sent = [command for command in world.commands.sent if command["op"] == "ERASE"]
    assert len({(command["id"], command["timestamp"]) for command in sent}) == 1  # asked three times, one command
    assert (await http.delete(URL)).json() == done.json() == (await http.get(f"{URL}/erasure")).json()
    assert await world.memories.live_ids(BOB, lambda _: True)
    assert world.keys.get(BOB) is not None
    assert BOB in world.roots.rows


async def test_an_erased_agent_is_refused_everywhere_but_for_its_receipt(http: httpx.AsyncClient, world: World) -> None:
    await filled(world)
    await asyncio.gather(http.delete(URL, params={"wait": 5}), settled(world))
    with using(SealingCodec(world.keys)):
        for method, path, body in (
            ("GET", "/memories", None),
            ("POST", "/memories", {"text": "again"}),
            ("POST", "/query", {"query": "one"}),
            ("GET", "/export", None),
        ):
            answer = await http.request(method, URL + path, json=body)
            assert (answer.status_code, answer.json()["error"]) == (410, "erased"), path
        assert (await http.get(f"{URL}/erasure")).status_code == 200
        assert (await http.get(f"/v1/agents/0x{BOB.hex()}/memories")).status_code == 200
        assert (await http.get(f"/v1/agents/0x{BOB.hex()}/erasure")).status_code == 404


@pytest.mark.parametrize("point", ["note", "command", "removal", "keys", "receipt"])
async def test_a_crash_at_any_step_is_finished_at_the_next_start(
    world: World, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(world)
    before = world.roots.rows[ALICE]

    class CrashError(RuntimeError):
        pass

    def crash(*_: Any) -> Any:
        raise CrashError

    eraser = world.eraser
    with monkeypatch.context() as patched:
        if point == "note":
            eraser = replace(eraser, roots=_Broken())  # type: ignore[arg-type]
        elif point == "command":
            world.commands.refusal = UnavailableError("away")
        elif point == "keys":
            patched.setattr(world.keys, "destroy", crash)
        elif point == "receipt":
            patched.setattr("streams.serving.eraser.signed", crash)
        work = asyncio.gather(eraser.erase(ALICE, 0.0 if point == "removal" else 5.0), return_exceptions=True)
        if point in {"keys", "receipt"}:
            await settled(world)
        (outcome,) = await work
        assert outcome is None if point == "removal" else isinstance(outcome, Exception)
    world.commands.refusal = None
    assert world.eraser.receipt(ALICE) is None
    if point == "note":
        assert not world.eraser.begun(ALICE)
        await asyncio.gather(world.eraser.erase(ALICE, 5.0), settled(world))
    else:
        await asyncio.gather(restarted(world).resume(), settled(world))
    receipt = world.eraser.receipt(ALICE)
    assert receipt is not None
    check(receipt, TRUSTED)
    assert receipt["root_before"] == {"count": 2, "checksum": "0x" + "00" * 32, "merkle_root": f"0x{before.merkle_root.hex()}"}
    assert not world.eraser.begun(ALICE)
    with pytest.raises(ErasedError):
        world.keys.get(ALICE)


@pytest.mark.parametrize("step", ["fsync", "replace"])
async def test_a_note_is_there_until_another_is(world: World, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway's own word is in it, and the agent's cannot be put in its place."""
    await filled(world)
    await world.eraser.erase(ALICE, 0.0)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    said = plain_command(b"k" * 16, ALICE, "ERASE", 2_000)
    with monkeypatch.context() as patched:
        patched.setattr(os, step, full)
        with pytest.raises(StoreError, match="No space left"):
            await world.eraser.erase(ALICE, 0.0, said)
    assert [path.name for path in world.eraser.folder.iterdir()] == [f"0x{ALICE.hex()}.begun.json"]
    await world.eraser.erase(ALICE, 0.0, said)
    await asyncio.gather(restarted(world).resume(), settled(world))
    assert (world.eraser.receipt(ALICE) or {})["command_id"] == str(uuid.UUID(bytes=b"k" * 16))


NOBODY = f"0x{'01' * 20}"
STRAYS: dict[str, dict[str, str | None]] = {
    "of nobody": {"backup.begun.json": "{}", "0x00.begun.json": "{}"},
    "cut off": {f"{NOBODY}.begun.json": '{"requested'},
    "no object": {f"{NOBODY}.begun.json": "[]"},
    "no time": {f"{NOBODY}.begun.json": '{"root_before": null}'},
    "no command": {f"{NOBODY}.begun.json": '{"requested_at": 5, "root_before": null, "command": "zz"}'},
    "no record": {f"{NOBODY}.begun.json": '{"requested_at": 5, "root_before": null, "command": "00"}'},
    "a folder": {f"{NOBODY}.begun.json": None},
    "a receipt cut off": {
        f"{NOBODY}.begun.json": '{"requested_at": 5, "root_before": null}',
        f"{NOBODY}.receipt.json": "{",
    },
}


@pytest.mark.parametrize("files", STRAYS.values(), ids=STRAYS)
async def test_no_file_keeps_another_erasure_from_going_on(
    world: World, files: dict[str, str | None], caplog: pytest.LogCaptureFixture
) -> None:
    await filled(world)
    await world.eraser.erase(ALICE, 0.0)
    for name, content in files.items():
        path = world.eraser.folder / name
        path.mkdir() if content is None else path.write_text(content)
    eraser = restarted(world)
    await asyncio.gather(eraser.resume(), settled(world))
    await eraser.resume()
    await eraser.resume()
    assert check(eraser.receipt(ALICE), TRUSTED)
    for name in files:
        if name.endswith("begun.json"):
            assert caplog.text.count(f"the erasure in {name} waits") == 1, "once, not at every round"


async def test_who_asks_is_told_of_a_damaged_note(world: World) -> None:
    await world.eraser.erase(ALICE, 0.0)
    note = world.eraser.folder / f"0x{ALICE.hex()}.begun.json"
    note.write_text("{")
    with pytest.raises(StoreError, match="is no note of an erasure") as refused:
        await world.eraser.erase(ALICE, 0.0)
    assert "Move it away" in refused.value.hint
    note.unlink()
    await asyncio.gather(world.eraser.erase(ALICE, 5.0), settled(world))
    assert world.eraser.receipt(ALICE)


async def test_the_log_gets_an_erase_again_ever_more_seldom(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the workers are down, or refuse it for good; never again once it was carried out, though a root still stands."""
    monkeypatch.setattr(erasing, "RESUME_SECONDS", 0.0)
    await filled(world)
    now = 0.0
    sent: list[float] = []
    eraser = replace(world.eraser, clock=lambda: now)
    await eraser.erase(ALICE, 0.0)
    for _ in range(600):
        before = len(world.commands.sent)
        await eraser.resume()
        sent += [now] if len(world.commands.sent) > before else []
        now += 20.0
    assert sent == [60.0, 180.0, 420.0, 900.0, 1_860.0, 3_780.0, 7_380.0, 10_980.0]
    for seconds, sends in ((0, 1), (59, 1), (1, 2)):  # who asks need not wait for an hour
        now += seconds
        before = 8 + 1 + sends
        await eraser.erase(ALICE, 0.0)
        assert len(world.commands.sent) == before, seconds
    world.commands.erase(ALICE)
    for _ in range(3):
        now += 3_600.0
        await eraser.resume()
        assert (await eraser.erase(ALICE, 0.0), len(world.commands.sent)) == (None, before)


class _Broken:
    async def fresh(self, agent: bytes) -> None:
        raise UnavailableError("no connection")


async def test_many_who_ask_at_once_get_one_receipt(world: World) -> None:
    await filled(world)
    *found, _ = await asyncio.gather(*(world.eraser.erase(ALICE, 5.0) for _ in range(5)), settled(world))
    assert found[0] is not None
    assert all(receipt == found[0] for receipt in found)


async def test_an_agent_that_never_was_can_be_erased(world: World) -> None:
    receipt, _ = await asyncio.gather(world.eraser.erase(b"\x07" * 20, 5.0), settled(world, b"\x07" * 20))
    assert receipt is not None
    assert (check(receipt, TRUSTED)["memories"], receipt["root_before"], receipt["absence"]) == (0, None, None)
    assert not proven(receipt), "there was no root, so there is none to prove it from"
    with pytest.raises(ErasedError):
        world.keys.get_or_create(b"\x07" * 20)


async def receipt_of(world: World) -> dict[str, Any]:
    await filled(world)
    receipt, _ = await asyncio.gather(world.eraser.erase(ALICE, 5.0), settled(world))
    assert receipt is not None
    return receipt


async def test_a_store_that_is_not_sealed_is_cleared_when_no_key_is_left_and_the_receipt_says_so(world: World) -> None:
    asked = []

    class Plain(FakeVectorStore):
        def name_of(self, agent: bytes) -> str:
            return "" if world.keys.erased(agent) else agent.hex()

        async def clear(self, name: str) -> str:
            asked.append((name, world.keys.erased(ALICE)))
            return "told to compact"

    world.eraser = replace(world.eraser, vectors=Plain())
    receipt = await receipt_of(world)
    assert (receipt["vectors"], asked) == ("told to compact", [(ALICE.hex(), True)])
    sealed = World()
    assert (await receipt_of(sealed))["vectors"] == "deleted; they were sealed"
    sealed.close()


async def test_every_altered_receipt_is_refused(world: World) -> None:
    receipt = await receipt_of(world)
    other: dict[str, Any] = {
        "agent": f"0x{BOB.hex()}",
        "memories": 3,
        "vectors": "sealed",
        "requested_at": 0,
        "finished_at": 0,
        "keys_destroyed": ["00" * 8],
        "root_before": None,
        "root_after": None,
        "absence": None,
        "place": None,
        "command_id": "x",
        "installation": "other",
    }
    assert set(other) == set(receipt) - {"format", "signature"}
    for name, value in other.items():
        with pytest.raises(VaultError, match="signature does not hold"):
            check({**receipt, name: value}, TRUSTED)
    spoilt = receipt["signature"][:-2] + ("00" if receipt["signature"][-2:] != "00" else "11")
    for signature in (spoilt, "", "zz", 5, None):
        with pytest.raises(VaultError, match="signature does not hold"):
            check({**receipt, "signature": signature}, TRUSTED)
    with pytest.raises(VaultError, match="not in the trusted keys"):
        try:
            check(receipt, Verifier([Signer(bytes(32)).public]))
        except VaultError as error:
            raise VaultError(error.hint) from None
    for wrong in (None, [], {}, {**receipt, "format": "other"}, {**receipt, "more": 1}):
        with pytest.raises(VaultError, match="no receipt"):
            check(wrong, TRUSTED)


async def test_a_signed_receipt_that_says_something_is_left_is_refused(world: World) -> None:
    receipt = await receipt_of(world)
    signer = Signer(b"s" * 32)
    assert check(signed({**receipt, "root_after": None, "absence": None}, signer), TRUSTED)
    for fields in ({"keys_destroyed": []}, {"root_after": {**EMPTY_ROOT, "count": 1}}):
        with pytest.raises(VaultError, match="everything is gone"):
            check(signed({**receipt, **fields}, signer), TRUSTED)


async def test_the_receipt_is_a_file_that_lasts(world: World, tmp_path: Path) -> None:
    receipt = await receipt_of(world)
    files = sorted(path.name for path in world.eraser.folder.iterdir())
    assert files == [f"0x{ALICE.hex()}.receipt.json"]
    assert json.loads((world.eraser.folder / files[0]).read_text()) == receipt
    assert isinstance(world.eraser, Eraser)


async def test_the_proof_of_absence_is_checked_and_is_the_agents_own(world: World) -> None:
    receipt = await receipt_of(world)
    document = parse(receipt["absence"])
    assert document.holds() and document.claim.startswith("nothing lies at ")
    signer = Signer(b"s" * 32)
    bare = {name: value for name, value in receipt.items() if name != "signature"}
    other = absence_of(f"0x{BOB.hex()}")
    for wrong in (other, {**receipt["absence"], "root": "11" * 32}, {**receipt["absence"], "value": "11" * 32}, {}, "yes", 5):
        with pytest.raises(VaultError, match="proof of absence"):
            check(signed({**bare, "absence": wrong}, signer), TRUSTED)
    with pytest.raises(VaultError, match="proof of absence"):
        check(signed({**bare, "root_after": None}, signer), TRUSTED)
    left = {**EMPTY_ROOT, "count": 1}
    with pytest.raises(VaultError, match="everything is gone"):
        check(signed({**bare, "root_after": left}, signer), TRUSTED)
    assert not proven(check(signed({**bare, "absence": None}, signer), TRUSTED))


async def test_a_receipt_of_an_earlier_version_holds_and_proves_nothing(world: World) -> None:
    receipt = await receipt_of(world)
    bare = {name: value for name, value in receipt.items() if name not in {"signature", "absence", "place"}}
    older = signed({**bare, "format": UNPROVEN_FORMAT}, Signer(b"s" * 32))
    assert not proven(check(older, TRUSTED))
    for wrong in ({**bare, "format": FORMAT}, {**receipt, "format": UNPROVEN_FORMAT}, {**receipt, "format": []}):
        with pytest.raises(VaultError, match="no receipt"):
            check(wrong, TRUSTED)


async def test_no_receipt_is_signed_while_a_root_of_something_stands(world: World) -> None:
    await filled(world)
    root = world.roots.rows[ALICE]
    asked = asyncio.create_task(world.eraser.erase(ALICE, 0.3))
    await settled(world)
    world.roots.rows[ALICE] = root
    assert await asked is None


async def test_the_commands_that_check_it_need_no_secret(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MONMOUTH_STATE_DIR", str(tmp_path / "state"))
    file, key = tmp_path / "receipt.json", Signer(b"s" * 32).public.hex()
    file.write_text(json.dumps(await receipt_of(world)))
    never, _ = await asyncio.gather(world.eraser.erase(b"\x07" * 20, 5.0), settled(world, b"\x07" * 20))
    outcomes = [main(["erase", "verify", str(file), "--key", key]), main(["proof", "verify", str(file), "--root", "00" * 32])]
    assert outcomes == [0, 0]
    said = capsys.readouterr().out
    assert "absence is proven" in said and "yes: nothing lies at" in said
    assert main(["erase", "verify", str(file)]) == 1, "no key is trusted here"
    assert main(["erase", "verify", str(file), "--key", "00"]) == 2
    file.write_text(json.dumps(never))
    assert main(["erase", "verify", str(file), "--key", key]) == 3
    assert main(["proof", "verify", str(file)]) == 1
    assert "absence is not proven" in capsys.readouterr().err
    assert not list(tmp_path.glob("state/**/*signing*")), "none was made"
