"""A package: one agent's memories, a manifest that is a function of them, and what an installation attests about them.

Invariants: memories are sorted by id and there is one of each; the manifest holds nothing that is not computed from the
memories, so equal memories give equal bytes on any installation at any time; a package is handed on only after all of it was
computed again and found equal.
The lattice state and the Merkle root of the manifest are keyed with a constant that everybody knows: they show that the list
is whole and let one memory be proved to belong to it. What only the installation could compute, the root of its own log,
stands in the attestation, signed with the installation's key (Ed25519).
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from struct import error
from typing import Any

from blake3 import blake3

from schemas.records import Memory
from streams.core.leaf import leaf_of, tree_of
from streams.core.lthash import sum_elements
from streams.portability.errors import ALTERED, PackageError
from streams.portability.record_json import canonical, line_of

FORMAT = "monmouth.package/1"
PACKAGE_KEY = blake3(b"monmouth/package/1").digest()
MOST_MEMORIES = 100_000
"""Ten times what an agent may have by default; with what is computed of them, up to 1 GiB."""

Manifest = Mapping[str, Any]
Attestation = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Package:
    """``manifest`` and ``attestation``: JSON objects; see ``manifest_of`` and ``streams.portability.attest``."""

    manifest: Manifest
    memories: tuple[Memory, ...]
    attestation: Attestation | None = None

    @property
    def agent(self) -> bytes:
        """Whose memories they are."""
        return bytes.fromhex(self.manifest["agent"].removeprefix("0x"))

    @property
    def digest(self) -> bytes:
        """Names the content: BLAKE3 of the canonical manifest."""
        return blake3(canonical(self.manifest)).digest()


def packed(agent: bytes, memories: Iterable[Memory]) -> Package:
    """The package of these memories of ``agent``. Raises PackageError if one is another's, or there are two of one id."""
    whole = tuple(sorted(map(_plain, memories), key=lambda memory: memory["id"]))
    return Package(manifest_of(agent, whole), whole)


def manifest_of(agent: bytes, memories: tuple[Memory, ...]) -> dict[str, Any]:
    """Counts, digest, lattice state and checksum, Merkle root, newest block. Raises PackageError."""
    if len(memories) > MOST_MEMORIES:
        raise PackageError(f"{len(memories)} memories; a package holds at most {MOST_MEMORIES}")
    if any(memory["agent"] != agent for memory in memories):
        raise PackageError("a package holds memories of one agent")
    if any(one["id"] >= other["id"] for one, other in pairwise(memories)):
        raise PackageError("memories must be sorted by id, with one of each", ALTERED)
    lines = blake3()
    for memory in memories:
        lines.update(line_of(memory) + b"\n")
    lattice = sum_elements([leaf_of(PACKAGE_KEY, memory).value for memory in memories])
    blocks = [memory["block"] for memory in memories if memory["block"] is not None]
    newest = max(blocks, key=lambda block: (block["number"], block["hash"]), default=None)
    return {
        "format": FORMAT,
        "agent": f"0x{agent.hex()}",
        "count": len(memories),
        "types": dict(sorted(Counter(memory["type"] for memory in memories).items())),
        "digest": lines.hexdigest(),
        "lattice": b64encode(bytes(lattice)).decode(),
        "checksum": lattice.checksum().hex(),
        "merkle_root": tree_of(PACKAGE_KEY, memories).root.hex(),
        "block": newest and {name: newest["number"] if name == "number" else f"0x{newest[name].hex()}" for name in newest},  # type: ignore[literal-required]
    }


def demand_whole(package: Package) -> None:
    """Raises PackageError unless the manifest is that of the memories, to the last byte."""
    said = package.manifest
    if said.get("format") != FORMAT:
        raise PackageError(
            f"this is {said.get('format')!r}, not {FORMAT}", "A newer version of the product may have written it."
        )
    try:
        computed = manifest_of(package.agent, package.memories)
    except (ValueError, ArithmeticError, error):
        raise PackageError("a memory holds what no memory can", ALTERED) from None
    wrong = [name for name in computed if said.get(name) != computed[name]]
    if wrong or set(said) != set(computed):
        names = ", ".join(wrong) or "fields"
        raise PackageError(f"the memories are not those of the manifest: {names} differ", ALTERED)


def _plain(memory: Memory) -> Memory:
    return {**memory, "imported_from": None, "sealed": None, "known_at": None}
