"""LtHash16 over BLAKE3: a hash of a multiset that adds and subtracts (Bellare and Micciancio 1997; parameters of SIMD-0215).

A state is 1,024 lanes of 16 bits, little-endian, 2,048 bytes. The element of a preimage is its BLAKE3 output of 2,048 bytes;
states and elements add and subtract lane by lane modulo 2^16; the checksum is BLAKE3-256 of the state.
Invariant: a state depends on which preimages were added how often, never on their order or on how they were grouped.
Assumes preimages are unique: 2^16 copies of one preimage cancel.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

LANES = 1024
STATE_BYTES = 2 * LANES
LANE = np.dtype("<u2")
CHUNK = 64
"""Elements summed at a time: 128 KiB, which stays in a core's second-level cache."""

Lanes = NDArray[np.uint16]


class LtHash:
    """One state. Immutable; ``+`` and ``-`` make new ones, ``bytes()`` is the wire form."""

    __slots__ = ("_lanes",)

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes

    @classmethod
    def of(cls, state: bytes) -> LtHash:
        """The inverse of ``bytes``. Raises ValueError unless it is given 2,048 bytes."""
        if len(state) != STATE_BYTES:
            raise ValueError(f"a lattice state has {STATE_BYTES} bytes, not {len(state)}")
        return cls(np.frombuffer(state, LANE))

    def __bytes__(self) -> bytes:
        return self._lanes.tobytes()

    def __add__(self, other: LtHash) -> LtHash:
        return LtHash(self._lanes + other._lanes)

    def __sub__(self, other: LtHash) -> LtHash:
        return LtHash(self._lanes - other._lanes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LtHash) and bool(np.array_equal(self._lanes, other._lanes))

    def __hash__(self) -> int:
        return hash(bytes(self))

    def __bool__(self) -> bool:
        return bool(self._lanes.any())

    def __repr__(self) -> str:
        return f"LtHash({self.checksum().hex()})"

    def checksum(self) -> bytes:
        """BLAKE3-256 of the state."""
        return blake3(self._lanes.tobytes()).digest()


ZERO = LtHash(np.zeros(LANES, LANE))


def element(preimage: bytes, key: bytes | None = None) -> bytes:
    """The 2,048 bytes that stand for one preimage; with a ``key`` (32 bytes) in BLAKE3's keyed mode."""
    return (blake3(preimage) if key is None else blake3(preimage, key=key)).digest(STATE_BYTES)


def sum_elements(preimages: Sequence[bytes], key: bytes | None = None) -> LtHash:
    """The state that holds ``preimages`` once each."""
    total: Lanes | None = None
    for start in range(0, len(preimages), CHUNK):
        part = _chunk_sum(preimages[start : start + CHUNK], key)
        total = part if total is None else np.add(total, part)
    return ZERO if total is None else LtHash(total)


def sum_groups(groups: Sequence[Sequence[bytes]]) -> list[LtHash]:
    """For each group the state that holds its preimages once each. Many small groups cost little more than one large one."""
    sums: list[LtHash] = []
    part: list[Sequence[bytes]] = []
    size = 0
    for group in groups:
        part.append(group)
        size += len(group)
        if size >= CHUNK:
            sums += _group_sums(part)
            part, size = [], 0
    return sums + _group_sums(part)


def _group_sums(groups: Sequence[Sequence[bytes]]) -> list[LtHash]:
    outputs = [blake3(preimage).digest(STATE_BYTES) for group in groups for preimage in group]
    rows = np.frombuffer(b"".join(outputs), LANE).reshape(-1, LANES)
    ends = accumulate(map(len, groups), initial=0)
    return [
        LtHash(np.add.reduce(rows[start:end], axis=0, dtype=LANE)) if end > start else ZERO for start, end in pairwise(ends)
    ]


def _chunk_sum(preimages: Sequence[bytes], key: bytes | None) -> Lanes:
    if key is None:
        outputs = [blake3(preimage).digest(STATE_BYTES) for preimage in preimages]
    else:
        outputs = [blake3(preimage, key=key).digest(STATE_BYTES) for preimage in preimages]
    if len(outputs) == 1:
        return np.frombuffer(outputs[0], LANE)
    rows = np.frombuffer(b"".join(outputs), LANE).reshape(-1, LANES)
    total: Lanes = np.add.reduce(rows, axis=0, dtype=LANE)
    return total


def merge(states: Iterable[LtHash]) -> LtHash:
    """The state that holds everything that ``states`` hold."""
    total = np.zeros(LANES, LANE)
    for state in states:
        np.add(total, state._lanes, out=total)
    return LtHash(total)
