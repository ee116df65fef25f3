"""RLP, the encoding of the execution layer (yellow paper, appendix B): byte strings and lists of such, nested.

Only encodes, and only that: a third of what checking a block costs is spent here. Invariant: equal to ``rlp.codec.encode_raw``.
"""

from __future__ import annotations

from typing import Any

_SHORT = tuple(bytes([0x80 + size]) for size in range(56))
_SHORT_LIST = tuple(bytes([0xC0 + size]) for size in range(56))


def encode(item: Any) -> bytes:
    """The encoding of bytes, or of a list or tuple of such items. Raises TypeError for anything else."""
    if type(item) is bytes:
        return encode_bytes(item)
    if type(item) is list or type(item) is tuple:
        return encode_list(b"".join([encode_bytes(part) if type(part) is bytes else encode(part) for part in item]))
    if isinstance(item, bytes | bytearray):
        return encode_bytes(bytes(item))
    raise TypeError(f"RLP knows bytes and lists, not {type(item).__name__}")


def encode_bytes(value: bytes) -> bytes:
    """The encoding of a byte string."""
    size = len(value)
    if size < 56:
        return value if size == 1 and value < b"\x80" else _SHORT[size] + value
    return _long(size, 0xB7) + value


def encode_list(payload: bytes) -> bytes:
    """The encoding of a list whose items were encoded and joined."""
    size = len(payload)
    return (_SHORT_LIST[size] if size < 56 else _long(size, 0xF7)) + payload


def _long(size: int, offset: int) -> bytes:
    width = (size.bit_length() + 7) >> 3
    return bytes([offset + width]) + size.to_bytes(width, "big")
