"""What the compiled codecs are made of: variable-length integers and tables for the short ones (Avro 1.11, binary encoding).

Compiled code takes the short way through common values and raises anything at all for the rest, upon which the codec asks the
general implementation. Invariant: where nothing is raised, result and bytes are those of the general implementation.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import Any, Final

LONG_MIN, LONG_MAX = -(1 << 63), (1 << 63) - 1
INT_MIN, INT_MAX = -(1 << 31), (1 << 31) - 1
DOUBLE: Final = Struct("<d")
FLOAT: Final = Struct("<f")
TRUTH: Final = {0: False, 1: True}
TRUTH_BYTES: Final = {False: b"\0", True: b"\1"}
VALUES: Final = tuple((n >> 1) ^ -(n & 1) for n in range(128))
"""Value of a one-byte integer."""
LENGTHS: Final[tuple[Any, ...]] = tuple(None if n & 1 else n >> 1 for n in range(128))
"""Length in a one-byte integer; None, which no arithmetic takes, if it is negative."""
SMALL_COUNT: Final = 4096


class UnusualError(ValueError):
    """Not for the short way."""


def _encode(n: int) -> bytes:
    if not LONG_MIN <= n <= LONG_MAX:
        raise UnusualError
    rest = (n << 1) ^ (n >> 63)
    out = bytearray()
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    out.append(rest)
    return bytes(out)


SMALL: Final = tuple(map(_encode, range(SMALL_COUNT)))
"""Encodings of 0 to 4,095."""
write_long = lru_cache(maxsize=4096)(_encode)
"""Encoding of a long. What repeats, such as heights and times of a block, is kept."""


def write_int(n: int) -> bytes:
    """Encoding of an int."""
    if not INT_MIN <= n <= INT_MAX:
        raise UnusualError
    return write_long(n)


def write_string(text: str) -> bytes:
    """Encoding of a string."""
    value = text.encode()
    size = len(value)
    return (SMALL[size] if size < SMALL_COUNT else write_long(size)) + value


def write_bytes(value: bytes) -> bytes:
    """Encoding of bytes."""
    size = len(value)
    return (SMALL[size] if size < SMALL_COUNT else write_long(size)) + value


def read_long(buffer: bytes, position: int) -> tuple[int, int]:
    """A long at ``position``, and the position after it."""
    rest = buffer[position] & 127 | (buffer[position + 1] & 127) << 7
    if buffer[position + 1] < 128:
        position += 2
    elif buffer[position + 2] < 128:
        rest |= buffer[position + 2] << 14
        position += 3
    else:
        end = position + 3
        while buffer[end] > 127:
            end += 1
        end += 1
        return _decode(buffer[position:end]), end
    return (rest >> 1) ^ -(rest & 1), position


@lru_cache(maxsize=4096)
def _decode(digits: bytes) -> int:
    rest = 0
    for digit in reversed(digits):
        rest = rest << 7 | digit & 127
    if len(digits) > 10 or rest >> 64:
        raise UnusualError
    return (rest >> 1) ^ -(rest & 1)


def read_length(buffer: bytes, position: int) -> tuple[int, int]:
    """A length or count at ``position``, and the position after it. No larger than what is left, so that no loop is long."""
    length = buffer[position]
    if length < 128:
        length, position = VALUES[length], position + 1
    else:
        length, position = read_long(buffer, position)
    if not 0 <= length <= len(buffer) - position:
        raise UnusualError
    return length, position
