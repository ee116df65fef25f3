"""A file is replaced whole, and what is in it is on the disk before its name is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streams.whole_file import replace_text


def test_the_text_is_on_the_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, seen, fsync = tmp_path / "rules.toml", [], os.fsync
    file.write_text("old")
    file.chmod(0o640)

    def watched(handle: int) -> None:
        fsync(handle)
        place = Path(f"/proc/self/fd/{handle}").resolve()
        seen.append((place, place.read_text() if place.is_file() else "", file.read_text()))

    monkeypatch.setattr(os, "fsync", watched)
    replace_text(file, "new")
    assert seen == [(tmp_path / ".rules.toml.new", "new", "old"), (tmp_path, "", "new")]
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_is_not_there_is_an_error_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        replace_text(tmp_path / "nowhere" / "file", "new")
