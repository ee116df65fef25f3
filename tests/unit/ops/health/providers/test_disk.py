"""The disk provider on real file systems: a full one, one for reading only, none at all, and thresholds."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.ops.health.providers.disk import Disk

SIZE = 1 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", folder], check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


async def test_a_disk_with_room_is_well_and_nothing_is_left_on_it(tmp_path: Path) -> None:
    found = await Disk(tmp_path, 100, 100).probe()
    assert found.status == "healthy"
    assert found.levels[0].limit == 100
    assert list(tmp_path.iterdir()) == []


async def test_a_full_disk_has_failed_and_is_well_again_when_emptied(small: Path) -> None:
    disk = Disk(small, 85, 100)
    assert (await disk.probe()).status == "healthy"
    (small / "half").write_bytes(b"\1" * (SIZE * 9 // 10))
    found = await disk.probe()
    assert found.status == "degraded"
    assert found.detail.startswith("90.")
    with pytest.raises(OSError, match="space"), (small / "rest").open("wb", buffering=0) as file:
        while True:
            file.write(b"\1" * 4096)
    assert (await disk.probe()).status == "failed"
    (small / "half").unlink()
    assert (await disk.probe()).status == "healthy"


async def test_one_that_takes_no_writes_has_failed_however_much_is_free(small: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    found = await Disk(small, 85, 95).probe()
    assert (found.status, found.detail) == ("failed", "the state folder: Read-only file system")


async def test_none_at_all_has_failed(tmp_path: Path) -> None:
    assert (await Disk(tmp_path / "none", 85, 95).probe()).status == "failed"


async def test_thresholds_decide(tmp_path: Path) -> None:
    assert (await Disk(tmp_path, 1e-9, 100).probe()).status == "degraded"
    assert (await Disk(tmp_path, 1e-9, 1e-9).probe()).status == "failed"
