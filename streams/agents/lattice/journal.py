"""What the lattice keeps of each block until it is final: the digest of the state after it, and which agents it touched.

Keys: ``b`` + number (u64, big-endian) + hash -> checksum (32 bytes) + addresses touched (20 bytes each);
``t`` + agent -> the blocks that touched it, oldest first, 72 bytes each (number, hash, parent).
Invariants: ``undo`` after ``record`` leaves no trace; ``finalize`` keeps the newest final entry of everything, so that what was
true at the last final block can always be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from streams.agents.base import LocalState
from streams.core.block import BlockRef
from streams.core.lthash import ZERO

BLOCK = b"b"
TOUCHED = b"t"
REF = 72
HASH = 32
ADDRESS = 20


def _pack(block: BlockRef) -> bytes:
    return block.number.to_bytes(8, "big") + block.hash + block.parent


def _unpack(wire: bytes) -> BlockRef:
    return BlockRef(int.from_bytes(wire[:8], "big"), wire[8:40], wire[40:REF])


def _refs(wire: bytes) -> list[bytes]:
    return [wire[at : at + REF] for at in range(0, len(wire), REF)]


class Journal:
    """A view of one partition's LocalState."""

    def __init__(self, state: LocalState) -> None:
        self._state = state

    def record(self, block: BlockRef, agents: Iterable[bytes], checksum: bytes) -> None:
        """Notes that ``block`` was applied. More than one call for a block adds up."""
        ref, key = _pack(block), _key(block)
        before = self._state.get(key)
        touched = {before[at : at + ADDRESS] for at in range(HASH, len(before), ADDRESS)} if before else set()
        for agent in agents:
            blocks = self._state.get(TOUCHED + agent) or b""
            if not blocks.endswith(ref):
                self._state.put(TOUCHED + agent, blocks + ref)
            touched.add(agent)
        self._state.put(key, checksum + b"".join(sorted(touched)))

    def undo(self, block: BlockRef, agents: Iterable[bytes], checksum: bytes) -> None:
        """Takes ``block`` back. ``checksum``: of the state without it."""
        ref = _pack(block)
        for agent in agents:
            blocks = [other for other in _refs(self._state.get(TOUCHED + agent) or b"") if other != ref]
            self._put_touched(agent, blocks)
        self._state.delete(_key(block))
        self._keep_base(block, checksum)

    def _keep_base(self, undone: BlockRef, checksum: bytes) -> None:
        """If nothing older than ``undone`` is noted, because that was final, what is left is the state of its parent."""
        base = BLOCK + max(undone.number - 1, 0).to_bytes(8, "big") + undone.parent
        oldest = next(self._state.scan(BLOCK), None)
        if oldest is None and checksum != ZERO.checksum():
            self._state.put(base, checksum)
        elif oldest is not None and oldest[0] == base and oldest[1][:HASH] != checksum:
            self._state.put(base, checksum + oldest[1][HASH:])  # the block goes in pieces

    def newest(self, agent: bytes) -> BlockRef | None:
        """The newest block that touched ``agent``."""
        blocks = self._state.get(TOUCHED + agent)
        return _unpack(blocks[-REF:]) if blocks else None

    def finalize(self, block: BlockRef) -> bytes:
        """Forgets what only an undo below ``block`` would need; the checksum of the state as of ``block``."""
        entries = list(self._up_to(block.number))
        if not entries:
            return ZERO.checksum()
        line = block.number.to_bytes(8, "big")
        for agent in {agent for _, value in entries for agent in _agents(value)}:
            refs = _refs(self._state.get(TOUCHED + agent) or b"")
            final = sum(ref[:8] <= line for ref in refs)
            self._put_touched(agent, refs[max(final - 1, 0) :])
        for key, _ in entries[:-1]:
            self._state.delete(key)
        newest, value = entries[-1]
        self._state.put(newest, value[:HASH])
        return value[:HASH]

    def _put_touched(self, agent: bytes, refs: list[bytes]) -> None:
        if refs:
            self._state.put(TOUCHED + agent, b"".join(refs))
        else:
            self._state.delete(TOUCHED + agent)

    def _up_to(self, number: int) -> Iterator[tuple[bytes, bytes]]:
        for key, value in self._state.scan(BLOCK):
            if int.from_bytes(key[1:9], "big") > number:
                return
            yield key, value


def _key(block: BlockRef) -> bytes:
    return BLOCK + block.number.to_bytes(8, "big") + block.hash


def _agents(entry: bytes) -> list[bytes]:
    return [entry[at : at + ADDRESS] for at in range(HASH, len(entry), ADDRESS)]
