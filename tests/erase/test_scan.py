"""The scanner says yes where something is."""

from __future__ import annotations

import os
from base64 import b64encode
from pathlib import Path

import pytest
from blake3 import blake3

from tests.erase.scan import findings, spellings

TEXT = "canary: näive ☕ memory"
RAW = TEXT.encode()


@pytest.mark.parametrize(
    "planted",
    [
        RAW,
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        RAW.hex().encode(),
        RAW.hex().upper().encode(),
        blake3(RAW).digest(),
        *(b64encode(os.urandom(before) + RAW + b"behind") for before in range(7)),
    ],
    ids=["plain", "utf16le", "utf16be", "hex", "HEX", "digest", *(f"base64 at {before}" for before in range(7))],
)
def test_a_planted_file_is_found(tmp_path: Path, planted: bytes) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(os.urandom(5_000) + planted + os.urandom(70))
    (tmp_path / "empty").touch()
    assert list(findings([tmp_path], spellings(TEXT)))


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(os.urandom(100_000) + RAW[:-1])
    assert list(findings([tmp_path], spellings(TEXT))) == []
    assert min(map(len, spellings(TEXT).values())) >= 16


def test_what_lies_between_holes_is_found(tmp_path: Path) -> None:
    file = tmp_path / "sparse"
    with file.open("wb") as stream:
        stream.seek(5 << 20)
        stream.write(b"x" * 4_090 + b"canary over the edge of a page")
        stream.truncate(20 << 20)
    assert [found for found in findings([tmp_path], spellings("canary over the edge of a page")) if found.endswith("utf-8")]
    (tmp_path / "hole").touch()
    os.truncate(tmp_path / "hole", 1 << 20)
    assert list(findings([tmp_path / "none"], spellings("canary"))) == []
