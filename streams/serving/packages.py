"""Packages of an agent's memories, out of the stores and back into the log.

Out: all live memories but those of open sessions, believed only if all of them make the published root; the package is
attested with the installation's key.
In: a package is taken in whole or not at all as far as it can be judged (every memory is checked before the first is written);
the commands that follow are named by package and memory, so that an import cut short is finished by repeating it.
A package that a trusted key attested is restored: its memories stay what they were, and claims stay claims. Of any other, what
it says of its sources is one: each memory carries the package's digest as ``imported_from``, and an id of its own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blake3 import blake3

from schemas.defaults import plain_command
from schemas.records import Memory, MemoryCommand, MemoryEdge
from streams.agents.memory_facts import command_facts
from streams.core.ids import claimed_id
from streams.core.session import in_zone
from streams.errors import PoisonError
from streams.portability import container, lines
from streams.portability.attest import attested, claims_of, demand_attested
from streams.portability.envelope import LARGEST, closed
from streams.portability.errors import PackageError
from streams.portability.foreign import Reading
from streams.portability.package import Package, packed
from streams.portability.sniff import read_any
from streams.serving.commands import CommandLog
from streams.serving.faults import BadRequestError, NotFoundError, TooLargeError
from streams.serving.places import Places
from streams.serving.proofs import Prover
from streams.serving.roots import Root
from streams.signing import Signer, Verifier

log = logging.getLogger(__name__)

AT_ONCE = 64
PLACES = 2
"""Packages on their way in, and as many on their way out."""
WRITERS = {"lines": lines.write, "avro": container.write}


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did. ``product``: who wrote the file; ``restored``: whether a trusted key attested it."""

    product: str
    digest: bytes
    count: int
    skipped: int
    restored: bool
    ids: tuple[bytes, ...]


class Packages:
    """Exports and imports."""

    def __init__(self, proofs: Prover, commands: CommandLog, signer: Signer, verifier: Verifier, most: int = LARGEST) -> None:
        """``most``: bytes of a package, expanded."""
        self.most = most
        self.incoming, self.outgoing = Places(PLACES), Places(PLACES)
        self._proofs = proofs
        self._commands = commands
        self._signer = signer
        self._trusted = verifier.publics | {signer.public}
        self._judging = asyncio.Lock()

    async def export(self, agent: bytes, form: str = "lines", compress: bool = False) -> tuple[Package, bytes]:
        """The package and its file.

        Raises NotFoundError if the agent has no memories, TooLargeError, ConflictError as proofs do.
        """
        root, held = await self._proofs.settled(agent)
        memories = [memory for memory in held if not in_zone(memory)]
        if not memories:
            raise NotFoundError("there are no memories to export")
        return await asyncio.to_thread(self._written, root, memories, form, compress)

    def _written(self, root: Root, memories: Sequence[Memory], form: str, compress: bool) -> tuple[Package, bytes]:
        claims = {memory["id"]: origin for memory in memories if (origin := memory["imported_from"]) is not None}
        package = attested(packed(root.agent, memories), self._signer, root.checksum, root.merkle_root, claims)
        data = WRITERS[form](package)
        if len(data) > self.most:
            raise TooLargeError(f"the package has more than {self.most >> 20} MiB", "gateway.package_mib says how much may be.")
        return package, closed(data) if compress else data

    async def take_in(self, agent: bytes, data: bytes, *, unknown: bool = False, chosen: str | None = None) -> Imported:
        """Writes what the file holds to the log. ``unknown``: take packages of keys that are not trusted, or unsigned;
        ``chosen``: whose memories of another product's file.

        Returns when the log has acknowledged all of it. Raises BadRequestError, naming what is wrong with the file.
        """
        try:
            async with self._judging:  # one at a time: what was packed takes many times its room
                found, commands = await asyncio.to_thread(self._judged, agent, data, unknown, chosen)
        except PackageError as error:
            raise BadRequestError(error.message, error.hint) from None
        for start in range(0, len(commands), AT_ONCE):
            await asyncio.gather(*map(self._commands.send, commands[start : start + AT_ONCE]))
        return found

    def _judged(self, agent: bytes, data: bytes, unknown: bool, chosen: str | None) -> tuple[Imported, list[MemoryCommand]]:
        found = _read(agent, data, chosen, self.most)
        if isinstance(found, Package):
            if found.agent != agent:
                raise PackageError(f"the package holds memories of 0x{found.agent.hex()}", "Import it for that agent.")
            restored = demand_attested(found, self._trusted, unknown)
            product, digest, skipped = "monmouth", found.digest, 0
            claims = claims_of(found) if restored else {}
        else:
            restored, product, digest, skipped = False, found.product, blake3(data).digest(), found.skipped
            claims = {}
        moment = int(time.time())
        origins = {memory["id"]: claims.get(memory["id"]) if restored else digest for memory in found.memories}
        memories = renamed(agent, [{**memory, "imported_from": origins[memory["id"]]} for memory in found.memories])
        commands = [_command(agent, digest, memory, moment) for memory in memories]
        for command in commands:
            _demand_acceptable(command)
        ids = tuple(memory["id"] for memory in memories)
        return Imported(product, digest, len(ids), skipped, restored, ids), commands


def _read(agent: bytes, data: bytes, chosen: str | None, most: int) -> Package | Reading:
    try:
        return read_any(data, agent, chosen=chosen, most=most)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        log.warning("a file that no reader refused could not be read", exc_info=error)  # ours to mend, the sender's to change
        raise PackageError("the file is malformed", f"It broke its reader ({type(error).__name__}).") from None


def renamed(agent: bytes, memories: Sequence[Memory]) -> list[Memory]:
    """Claims under the ids that claims have, which their edges name too where they are about each other."""
    claims = [memory for memory in memories if memory["imported_from"] is not None]
    names = {memory["id"]: claimed_id(agent, memory["id"], memory["content"]) for memory in claims}
    return [_named(memory, names) if memory["id"] in names else memory for memory in memories]


def _named(memory: Memory, names: Mapping[bytes, bytes]) -> Memory:
    edges: list[MemoryEdge] = []
    for edge in memory["edges"]:
        source, target = edge["source"], edge["target"]
        source = None if source is None else names.get(source, source)
        edges.append({**edge, "source": source, "target": names.get(target, target)})
    return {**memory, "id": names[memory["id"]], "edges": edges}


def _command(agent: bytes, digest: bytes, memory: Memory, moment: int) -> MemoryCommand:
    name = blake3(b"monmouth/import" + digest + memory["id"]).digest(16)
    return {**plain_command(name, agent, "IMPORT", moment), "memory_id": memory["id"], "memory": memory}


def _demand_acceptable(command: MemoryCommand) -> None:
    try:
        command_facts(command["agent"], command)
    except PoisonError as error:
        raise PackageError(f"memory {(command['memory_id'] or b'').hex()}: {error.message}", error.hint) from None
