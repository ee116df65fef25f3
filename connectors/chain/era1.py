"""era1 archives: 8,192 consecutive proof-of-work blocks a file, with bodies, receipts, uncles and total difficulty.

Format: e2store entries (u16 type, u32 length, u16 zero, little-endian, then data), version entry first; per block a header (3),
body (4), receipts (5), all framed snappy of RLP, and a total difficulty (6, 32 bytes little-endian).
Invariant: sizes are checked before anything is allocated; a file that is cut, altered or not era1 raises SourceError.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import cramjam

from connectors.chain import decode
from connectors.chain.history import Arrival
from connectors.chain.trie import EMPTY_ROOT
from schemas.records import HeaderRecord
from streams.errors import SourceError
from streams.ports.chain import Block

VERSION, HEADER, BODY, RECEIPTS, DIFFICULTY = 0x3265, 3, 4, 5, 6
MAX_ENTRY = 12 * 1024 * 1024
"""Bytes, packed. Snappy makes at most 64 bytes of 3, so no entry unpacks to more than 256 MiB and a little."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One e2store entry: its type and where its data lies in the file."""

    kind: int
    offset: int
    size: int


def entries(file: BinaryIO, size: int) -> Iterator[Entry]:
    """All entries of the file, without their data. Raises SourceError."""
    offset = 0
    while offset < size:
        file.seek(offset)
        head = file.read(8)
        entry = Entry(int.from_bytes(head[:2], "little"), offset + 8, int.from_bytes(head[2:6], "little"))
        if len(head) < 8 or entry.offset + entry.size > size or entry.size > MAX_ENTRY or head[6:8] != b"\0\0":
            raise SourceError(f"broken e2store entry at byte {offset}", "The file is cut or is not an era1 archive.")
        if offset == 0 and entry.kind != VERSION:
            raise SourceError("no e2store version entry", "The file is not an era1 archive.")
        yield entry
        offset = entry.offset + entry.size


def unpack(file: BinaryIO, entry: Entry) -> Any:
    """The RLP inside a compressed entry. Raises SourceError."""
    file.seek(entry.offset)
    packed = file.read(entry.size)
    try:
        data = cramjam.snappy.Decompressor()
        data.decompress(packed)
        unpacked = bytes(data.finish())
    except cramjam.DecompressionError as error:
        raise SourceError(f"entry at byte {entry.offset} is not framed snappy: {error}") from None
    return decode.decode(unpacked)


def load(path: Path, header: HeaderRecord, body: Entry, receipts: Entry) -> Block:
    """A whole block."""
    with path.open("rb") as file:
        transactions, _ = unpack(file, body)
        return decode.block(header, transactions, unpack(file, receipts))


def arrivals(path: Path, *, siblings: bool = True) -> Iterator[Arrival]:
    """Blocks of one file in order. With ``siblings``, the uncles that were found later arrive just before their canonical
    sibling, the heaviest first, as if a node had seen them first. An uncle with transactions is left out: its body is lost.
    """
    try:
        yield from _arrivals(path, siblings)
    except (OSError, ValueError, TypeError, IndexError) as error:
        raise SourceError(f"{path.name}: {error}") from None
    except SourceError as error:
        raise SourceError(f"{path.name}: {error.message}", error.hint) from None


def _arrivals(path: Path, siblings: bool) -> Iterator[Arrival]:
    uncles, canonical = _index(path, siblings)
    for arrival in canonical:
        for uncle in sorted(uncles.get(arrival.ref.number, ()), key=_difficulty, reverse=True):
            yield Arrival(decode.ref_of(uncle), _difficulty(uncle), partial(decode.block, uncle, (), ()))
        yield arrival


def _index(path: Path, siblings: bool) -> tuple[dict[int, list[HeaderRecord]], list[Arrival]]:
    """Uncles by height and canonical blocks, of one whole file: an uncle is named by a later block."""
    uncles: dict[int, list[HeaderRecord]] = {}
    canonical: list[Arrival] = []
    found: dict[int, Entry] = {}
    with path.open("rb") as file:
        for entry in entries(file, path.stat().st_size):
            found[entry.kind] = entry
            if entry.kind != DIFFICULTY:
                continue
            header = decode.header(unpack(file, found[HEADER]))
            file.seek(entry.offset)
            total = int.from_bytes(file.read(entry.size), "little")
            read = partial(load, path, header, found[BODY], found[RECEIPTS])
            canonical.append(Arrival(decode.ref_of(header), _difficulty(header), read, total))
            for items in unpack(file, found[BODY])[1] if siblings else ():
                uncle = decode.header(items)
                if uncle["transactions_root"] == EMPTY_ROOT and canonical[0].ref.number < uncle["number"]:
                    uncles.setdefault(uncle["number"], []).append(uncle)
    return uncles, canonical


def _difficulty(header: HeaderRecord) -> int:
    return int.from_bytes(header["difficulty"], "big")
