"""Strict reading of the fields of proof documents: one value, one spelling; anything else raises ProofError."""

from __future__ import annotations

HASH = 32


class ProofError(ValueError):
    """Not a proof document."""


def only(record: object, *names: str) -> None:
    """Refuses anything but an object with exactly these fields."""
    if not isinstance(record, dict) or set(record) != set(names):
        raise ProofError(f"fields must be {', '.join(sorted(names))}")


def hex_bytes(value: object, size: int = HASH) -> bytes:
    """``size`` bytes in lower-case hex."""
    if not isinstance(value, str) or len(value) != 2 * size or not set(value) <= set("0123456789abcdef"):
        raise ProofError(f"expected {2 * size} lower-case hex digits")
    return bytes.fromhex(value)


def hashes(values: object, limit: int) -> tuple[bytes, ...]:
    """A list of at most ``limit`` hashes."""
    if not isinstance(values, list) or len(values) > limit:
        raise ProofError(f"expected a list of at most {limit} hashes")
    return tuple(map(hex_bytes, values))


def integer(value: object, low: int = 0, high: int = (1 << 64) - 1) -> int:
    """A whole number from ``low`` to ``high``; by default a size or an index."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ProofError(f"expected a whole number from {low} to {high}")
    return value
