"""Dumps of JSON-RPC answers: objects {"block": eth_getBlockByHash(full), "receipts": eth_getBlockReceipts}.

A dump is a file or a folder of .json, .json.gz (one object each) and .jsonl, .jsonl.gz (one object a line, in arrival order).
Files of a folder are taken in the order of their first block's height, then by name.
Invariant: sizes are limited before anything is parsed; what is no dump raises SourceError with its file and place.
A large .jsonl.gz is slow, since every block is found by unpacking from the start: unpack it first.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from connectors.chain.convert import block_ref, to_block, uint256
from connectors.chain.history import Arrival
from streams.errors import SourceError
from streams.ports.chain import Block

SUFFIXES = (".json", ".json.gz", ".jsonl", ".jsonl.gz")
MAX_OBJECT = 256 * 1024 * 1024


def is_dump(path: Path) -> bool:
    """Whether the name is one of a dump file."""
    return path.name.endswith(SUFFIXES)


def arrivals(paths: list[Path]) -> Iterator[Arrival]:
    """Blocks of all files."""
    firsts = [(next(_objects(path), (0, None))[1], path) for path in paths]
    order = sorted((block_ref(first["block"]).number, path.name, path) for first, path in firsts if first is not None)
    for _, _, path in order:
        for offset, found in _objects(path):
            ref = block_ref(found["block"])
            difficulty = int.from_bytes(uint256(found["block"].get("difficulty") or "0x0"), "big")
            yield Arrival(ref, difficulty, partial(_load, path, offset))


def _load(path: Path, offset: int) -> Block:
    _, found = next(_objects(path, offset))
    return to_block(found["block"], found["receipts"])


def _objects(path: Path, start: int = 0) -> Iterator[tuple[int, dict[str, Any]]]:
    """(byte offset in the unpacked file, object) from ``start`` on; a .json file is one object."""
    offset = start
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as file:
            file.seek(start)
            while text := file.readline(MAX_OBJECT) if ".jsonl" in path.name else file.read(MAX_OBJECT):
                if len(text) == MAX_OBJECT:
                    raise SourceError(f"{path.name}, byte {offset}: more than {MAX_OBJECT} bytes")
                yield offset, _object(path, offset, orjson.loads(text))
                offset += len(text)
    except (OSError, EOFError, zlib.error, orjson.JSONDecodeError) as error:
        raise SourceError(f"{path.name}, byte {offset}: {error}") from None


def _object(path: Path, offset: int, found: Any) -> dict[str, Any]:
    if not isinstance(found, dict) or not {"block", "receipts"} <= found.keys():
        raise SourceError(f"{path.name}, byte {offset}: no object with block and receipts")
    return found
