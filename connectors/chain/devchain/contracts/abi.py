"""How scripted contracts are called and how they answer: selectors, calldata, frames, logs.

Assumes signatures without tuples. Invariant: a contract method checks everything before it writes, so a raised ``Revert``
leaves the ledger as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_hash.auto import keccak

from connectors.chain.devchain.ledger import Ledger


class Revert(Exception):
    """The call fails: status 0, no logs, gas paid."""


@dataclass(frozen=True, slots=True)
class Log:
    """One event: ``topics`` of 32 bytes each."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """What a method sees of the transaction that calls it. ``value`` in wei, ``timestamp`` in seconds."""

    ledger: Ledger
    sender: bytes
    contract: bytes
    value: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class Method:
    """``run(frame, arguments)`` returns the logs; ``gas`` is what it costs beyond the intrinsic gas."""

    signature: str
    run: Callable[[Frame, tuple[Any, ...]], list[Log]]
    gas: int
    aliases: tuple[bytes, ...] = ()


@lru_cache(maxsize=256)
def argument_types(signature: str) -> tuple[str, ...]:
    """The types between the parentheses."""
    inner = signature[signature.index("(") + 1 : -1]
    return tuple(inner.split(",")) if inner else ()


@lru_cache(maxsize=256)
def selector(signature: str) -> bytes:
    """First four bytes of the signature's hash."""
    return bytes(keccak(signature.encode())[:4])


@lru_cache(maxsize=256)
def event_topic(signature: str) -> bytes:
    """Topic 0 of an event."""
    return bytes(keccak(signature.encode()))


def address_topic(address: bytes) -> bytes:
    """An indexed address."""
    return bytes(12) + address


def words(*values: int) -> bytes:
    """Event data of unsigned integers."""
    return b"".join(value.to_bytes(32, "big") for value in values)


def call_data(signature: str, *arguments: Any, alias: bytes | None = None) -> bytes:
    """Calldata: selector (or ``alias`` in its place) and ABI-encoded arguments."""
    return (alias or selector(signature)) + bytes(encode(argument_types(signature), arguments))


def arguments_of(signature: str, data: bytes) -> tuple[Any, ...]:
    """The inverse of ``call_data``; addresses as 20 bytes. Raises Revert on calldata that does not decode."""
    types = argument_types(signature)
    try:
        values = decode(types, data[4:])
    except Exception as error:  # eth_abi raises a family of decoding errors: a contract reverts on each of them
        raise Revert(str(error)) from None
    return tuple(_raw(kind, value) for kind, value in zip(types, values, strict=True))


def _raw(kind: str, value: Any) -> Any:
    if kind == "address":
        return bytes.fromhex(value[2:])
    if kind == "address[]":
        return tuple(bytes.fromhex(item[2:]) for item in value)
    return value
