"""A package as canonical JSON lines: the manifest, the memories in order, and the attestation if there is one.

Invariants: ``write(read(data)) == data``; anything else is refused, down to a space or the missing last line end. Reading
holds the memories and one line, never the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

from schemas.records import Memory
from streams.portability.errors import ALTERED, PackageError
from streams.portability.package import MOST_MEMORIES, Package, demand_whole
from streams.portability.record_json import canonical, line_of, memory_of

LONGEST_LINE = 1 << 23
"""Room for the attestation of as many claims as a package may have."""


def write(package: Package) -> bytes:
    """The file."""
    return b"".join(parts(package))


def parts(package: Package) -> Iterator[bytes]:
    """The file, a line at a time."""
    yield canonical({"manifest": package.manifest}) + b"\n"
    for memory in package.memories:
        yield line_of(memory) + b"\n"
    if package.attestation is not None:
        yield canonical({"attestation": package.attestation}) + b"\n"


def read(data: bytes) -> Package:
    """The inverse. Raises PackageError if a byte is not as it was written."""
    return read_from(BytesIO(data))


def read_from(source: BinaryIO) -> Package:
    """As ``read``."""
    head = _line(source)
    if head is None:
        raise PackageError("the package is empty", ALTERED)
    manifest, attestation = wrapped(head, "manifest"), None
    memories: list[Memory] = []
    while (line := _line(source)) is not None:
        if attestation is not None:
            raise PackageError("the package goes on behind its attestation", ALTERED)
        if line.startswith(b'{"attestation":'):
            attestation = wrapped(line, "attestation")
            continue
        memories.append(memory_of(line))
        if len(memories) > MOST_MEMORIES:
            raise PackageError(f"more than {MOST_MEMORIES} memories")
    package = Package(manifest, tuple(memories), attestation)
    demand_whole(package)
    return package


def _line(source: BinaryIO) -> bytes | None:
    line = source.readline(LONGEST_LINE + 1)
    if line.endswith(b"\n"):
        return line[:-1]
    if not line:
        return None
    raise PackageError("the package ends in the middle of a line, or has one too long", ALTERED)


def wrapped(line: bytes, name: str) -> dict[str, Any]:
    """The object in a canonical line ``{"name":{...}}``. Raises PackageError."""
    try:
        if len(line) > LONGEST_LINE:
            raise ValueError("size")
        said = json.loads(line)
        inner = said[name]
        if len(said) != 1 or not isinstance(inner, dict) or canonical(said) != line:
            raise ValueError("form")
        if name == "manifest":
            bytes.fromhex(inner["agent"].removeprefix("0x"))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise PackageError(f"the {name} of the package is not readable", ALTERED) from None
    return inner
