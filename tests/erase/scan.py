"""Looks for texts and vectors in every byte of every file of a folder, in the spellings they could have.

    .venv/bin/python -m tests.erase.scan FOLDER... --text "what must not be there"

A text: UTF-8, UTF-16 in both byte orders, base64 (plain and for URLs) at each of the three alignments, hex in both cases; and
the BLAKE3 of it, which who guesses the text could recognise. Compressed or encrypted bytes are beyond it, so who says that
nothing was found should show that the same way of writing would have been found.
"""

from __future__ import annotations

import argparse
import errno
import mmap
import os
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from blake3 import blake3


def spellings(text: str) -> dict[str, bytes]:
    """What to look for, by name."""
    raw = text.encode()
    found = {
        "utf-8": raw,
        "utf-16-le": text.encode("utf-16-le"),
        "utf-16-be": text.encode("utf-16-be"),
        "digest": blake3(raw).digest(),
        **{f"hex {name}": wire for name, wire in (("lower", raw.hex().encode()), ("upper", raw.hex().upper().encode()))},
    }
    for shift in range(3):
        for name, encode in (("base64", b64encode), ("base64url", urlsafe_b64encode)):
            spelt = encode(b"x" * shift + raw)
            first = -(-shift * 4 // 3) if shift else 0  # characters that hang on what stands before
            found[f"{name} {shift}"] = spelt[first + (shift > 0) : len(spelt) - 4]
    return found


def findings(folders: Iterable[Path], wanted: Mapping[str, bytes]) -> Iterator[str]:
    """``file: spelling`` of everything found."""
    for folder in folders:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            if not file.stat().st_size:
                continue
            with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                parts = list(written(stream.fileno()))
                for name, needle in wanted.items():
                    if any(content.find(needle, start, end) >= 0 for start, end in parts):
                        yield f"{file}: {name}"


def findings_meanwhile(folders: Iterable[Path], wanted: Mapping[str, bytes]) -> list[str]:
    """``findings`` where a server is at work, whose files may come and go."""
    for _ in range(20):
        try:
            return list(findings(folders, wanted))
        except (FileNotFoundError, ValueError):  # removed, or cut to nothing, between two looks
            time.sleep(0.1)
    raise AssertionError("the server's files do not stand still")


def written(handle: int) -> Iterator[tuple[int, int]]:
    """Where a file holds anything: a broker's index files are almost all holes, which read as zeros and hold no text."""
    end = 0
    while True:
        try:
            start = os.lseek(handle, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole follows
                return
            raise
        end = os.lseek(handle, start, os.SEEK_HOLE)
        yield start, end


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--text", required=True, action="append")
    arguments = parser.parse_args()
    seen = 0
    for text in arguments.text:
        for finding in findings(arguments.folders, spellings(text)):
            print(finding)
            seen += 1
    print(f"{seen} found")
    return 1 if seen else 0


if __name__ == "__main__":
    raise SystemExit(main())
