"""Store folders, opened for real: beside a writer, damaged, and nearly full."""

from __future__ import annotations

from pathlib import Path

import lmdb

from streams.ops.health.providers import folders as module
from streams.ops.health.providers.folders import DATA, Folders

PAGES = 64


def filled(folder: Path, share: float) -> lmdb.Environment:
    environment = lmdb.open(str(folder), map_size=PAGES * 4096)
    with environment.begin(write=True) as transaction:
        at = 0
        while environment.info()["last_pgno"] < share * PAGES and at < share * PAGES:
            transaction.put(b"%d" % at, b"x" * 3000)
            at += 1
    return environment


async def test_nothing_there_yet_is_well(tmp_path: Path) -> None:
    assert (await Folders([tmp_path, tmp_path / "none"]).probe()).status == "healthy"


async def test_one_that_this_process_writes_to_opens_beside_it(tmp_path: Path) -> None:
    environment = filled(tmp_path / "store", 0.3)
    with environment.begin(write=True):
        found = await Folders([tmp_path]).probe()
    assert (found.status, found.detail) == ("healthy", "1 open")
    assert 10 < found.levels[0].value < 90
    environment.close()


async def test_a_damaged_one_is_named_and_the_others_are_looked_at(tmp_path: Path) -> None:
    for name in ("good", "bad"):
        filled(tmp_path / name, 0.2).close()
    (tmp_path / "bad" / DATA).write_bytes(b"\xff" * 8192)
    found = await Folders([tmp_path]).probe()
    assert found.status == "failed"
    assert found.detail.startswith("bad: ")
    assert [level.of for level in found.levels] == ["map of good used"]


async def test_a_map_that_is_nearly_full_is_a_complaint(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    filled(tmp_path / "store", 0.5).close()
    monkeypatch.setattr(module, "FULL", 30.0)
    found = await Folders([tmp_path]).probe()
    assert found.status == "degraded"
    assert "map of store used" in found.detail
