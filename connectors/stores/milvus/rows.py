"""What of a vector stands in Milvus, and how it is read back.

| field | |
|---|---|
| key | 64 hex digits: the pseudonym, then the memory id under the agent's key |
| agent | the pseudonym: the agent's address under its own key, 32 hex digits |
| sealed | digest of the vector, memory id, block hash and source, encrypted with the agent's key, in base64 |
| vector | as it is: it could not be compared otherwise |

Who holds the server's files, but not the keys, sees vectors in groups, and neither whose they are nor of which memory or block.
Assumes that the process has the keys of what others wrote. Invariants: an agent that was erased has no name, so nothing is
written of it; a row that was put in another's place, or has another vector than it was written with, does not read.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from typing import Any

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from connectors.stores.keys import check_agent, check_id
from connectors.stores.vectors import check_vector
from schemas.codec import VEIL, SchemaError, codec
from streams.errors import StoreError
from streams.ports.stores import VectorRow

KIND = "milvus"
FIELDS = ["key", "sealed", "vector"]
NAME_DIGITS = 2 * VEIL
KEY_DIGITS = 2 * NAME_DIGITS
SEALED_DIGITS = 512
_DIGEST = 16
_ID = 32
_REBUILD = "Drop the collection and start the workers again: they fill a new one from the log."


def pseudonym(agent: bytes) -> str | None:
    """What the agent is called in Milvus; None if it was erased, or nothing was ever written of it."""
    return _name(agent) if codec().named(check_agent(agent)) else None


def row_key(agent: bytes, memory_id: bytes) -> str | None:
    """Primary key; None where ``pseudonym`` is."""
    return _key(agent, check_id(memory_id)) if codec().named(check_agent(agent)) else None


def entity(row: VectorRow, dimension: int) -> dict[str, Any] | None:
    """The row as Milvus keeps it; None if its agent was erased."""
    vector = check_vector(row.vector, dimension)
    key = _key(check_agent(row.agent), check_id(row.memory_id))
    if key is None:
        return None
    body = _digest(vector) + row.memory_id + bytes([len(row.block_hash)]) + row.block_hash + row.source
    sealed = codec().seal(KIND, row.agent, bytes.fromhex(key), body)
    return {"key": key, "agent": key[:NAME_DIGITS], "sealed": b64encode(sealed).decode(), "vector": vector}


def memory_id_of(agent: bytes, key: str, sealed: str) -> bytes | None:
    """Which memory a row is of; None if the agent was erased meanwhile. Raises StoreError."""
    body = _body(agent, key, sealed)
    return None if body is None else body[_DIGEST : _DIGEST + _ID]


def vector_row(agent: bytes, found: dict[str, Any]) -> VectorRow | None:
    """The row that was written; None if the agent was erased meanwhile. Raises StoreError if it is not as it was written."""
    body = _body(agent, found["key"], found["sealed"])
    if body is None:
        return None
    vector = np.asarray(found["vector"], np.float32)
    if _digest(vector) != body[:_DIGEST]:
        raise StoreError(f"a vector of agent 0x{agent.hex()} in Milvus is not the one that was written", _REBUILD)
    start = _DIGEST + _ID + 1
    end = start + body[start - 1]
    return VectorRow(agent, body[_DIGEST : start - 1], vector, body[start:end], body[end:])


def _name(agent: bytes) -> str | None:
    veil = codec().veil(agent, b"agent in milvus" + agent)
    return veil.hex() if any(veil) else None  # an erased agent's is of zeros


def _key(agent: bytes, memory_id: bytes) -> str | None:
    name, veil = _name(agent), codec().veil(agent, b"memory in milvus" + memory_id)
    return name + veil.hex() if name is not None and any(veil) else None


def _body(agent: bytes, key: str, sealed: str) -> bytes | None:
    try:
        body = codec().unseal(KIND, agent, bytes.fromhex(key), b64decode(sealed, validate=True))
    except (SchemaError, NotBase64, ValueError) as error:
        raise StoreError(f"a row of agent 0x{agent.hex()} in Milvus is not readable: {error}", _REBUILD) from None
    if body is not None and len(body) <= _DIGEST + _ID:
        raise StoreError(f"a row of agent 0x{agent.hex()} in Milvus is too short", _REBUILD)
    return body


def _digest(vector: NDArray[np.float32]) -> bytes:
    return blake3(np.ascontiguousarray(vector, "<f4").tobytes()).digest(length=_DIGEST)
