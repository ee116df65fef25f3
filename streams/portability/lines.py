"""A package as canonical JSON lines: the manifest, the memories in order, and the attestation if there is one.

Invariant: ``write(read(data)) == data``; anything else is refused, down to a space or the missing last line end.
"""

from __future__ import annotations

import json
from typing import Any

from schemas.records import Memory
from streams.portability.errors import ALTERED, PackageError
from streams.portability.package import MOST_MEMORIES, Package, demand_whole
from streams.portability.record_json import LONGEST_LINE, canonical, line_of, memory_of


def write(package: Package) -> bytes:
    """The file."""
    head = canonical({"manifest": package.manifest})
    tail = [] if package.attestation is None else [canonical({"attestation": package.attestation})]
    return b"".join(line + b"\n" for line in [head, *map(line_of, package.memories), *tail])


def read(data: bytes) -> Package:
    """The inverse. Raises PackageError if a byte is not as it was written."""
    if data.count(b"\n") > MOST_MEMORIES + 2:  # before a list of them is made: few bytes expand to many lines
        raise PackageError(f"more than {MOST_MEMORIES} memories")
    *lines, rest = data.split(b"\n")
    if rest or not lines:
        raise PackageError("the package ends in the middle of a line", ALTERED)
    attestation = None
    if len(lines) > 1 and lines[-1].startswith(b'{"attestation":'):
        attestation = wrapped(lines.pop(), "attestation")
    memories: tuple[Memory, ...] = tuple(map(memory_of, lines[1:]))
    package = Package(wrapped(lines[0], "manifest"), memories, attestation)
    demand_whole(package)
    return package


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
