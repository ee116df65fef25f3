"""Human-readable ABI signatures: types, names, selectors, and the one way arguments may lie in memory.

Grammar: ``name(type [indexed] name, (type name, ...)[] name)``; whitespace is free, argument names are required.
Invariant: ``Parameter.type`` is the canonical ABI type, so a selector is the hash of what the chain sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from eth_hash.auto import keccak

_TOKEN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|\[[0-9]*\]|[(),]")
WORD = 32


class LayoutError(ValueError):
    """Bytes are not the canonical encoding of the types asked for."""


@dataclass(frozen=True)
class Parameter:
    """One argument. ``components`` is set for tuples; ``dimensions`` holds array sizes, inner first, -1 for a dynamic one."""

    base: str
    name: str = ""
    components: tuple[Parameter, ...] = ()
    dimensions: tuple[int, ...] = ()
    indexed: bool = False

    @cached_property
    def type(self) -> str:
        """The canonical ABI type, such as ``(address,uint256)[]``."""
        base = "(" + ",".join(c.type for c in self.components) + ")" if self.components else self.base
        return base + "".join("[]" if n < 0 else f"[{n}]" for n in self.dimensions)

    @cached_property
    def element(self) -> Parameter:
        """What an array holds: this parameter without its outermost dimension."""
        return Parameter(self.base, "", self.components, self.dimensions[:-1])

    @cached_property
    def dynamic(self) -> bool:
        """Whether the value lies in the tail, behind an offset."""
        if self.dimensions:
            return self.dimensions[-1] < 0 or self.element.dynamic
        return self.base in ("bytes", "string") or any(c.dynamic for c in self.components)

    @cached_property
    def head_size(self) -> int:
        """Bytes the parameter takes in the head."""
        if self.dynamic:
            return WORD
        if self.dimensions:
            return self.dimensions[-1] * self.element.head_size
        return sum(c.head_size for c in self.components) if self.components else WORD


@dataclass(frozen=True)
class Signature:
    """A method or event: name and parameters."""

    name: str
    parameters: tuple[Parameter, ...]

    @cached_property
    def canonical(self) -> str:
        """What is hashed: ``transfer(address,uint256)``."""
        return f"{self.name}({','.join(p.type for p in self.parameters)})"

    @cached_property
    def hash(self) -> bytes:
        """Keccak-256 of the canonical form: topic 0 of an event; its first four bytes are a method's selector."""
        return bytes(keccak(self.canonical.encode()))

    @property
    def selector(self) -> bytes:
        """First 4 bytes of call data."""
        return self.hash[:4]


def parse_signature(text: str) -> Signature:
    """Parses a human-readable signature. Raises ValueError if it does not fit the grammar."""
    tokens = list(reversed(_TOKEN.findall(text)))
    if "".join(reversed(tokens)) != re.sub(r"\s+", "", text) or not tokens:
        raise ValueError(f"not a signature: {text!r}")
    name = tokens.pop()
    parameters = _parse_list(tokens, text)
    if tokens:
        raise ValueError(f"text after the signature: {text!r}")
    return Signature(name, parameters)


def _expect(tokens: list[str], wanted: str, text: str) -> None:
    if not tokens or tokens.pop() != wanted:
        raise ValueError(f"expected {wanted!r} in {text!r}")


def _parse_list(tokens: list[str], text: str) -> tuple[Parameter, ...]:
    _expect(tokens, "(", text)
    found: list[Parameter] = []
    while tokens and tokens[-1] != ")":
        if found:
            _expect(tokens, ",", text)
        found.append(_parse_parameter(tokens, text))
    _expect(tokens, ")", text)
    return tuple(found)


def _parse_parameter(tokens: list[str], text: str) -> Parameter:
    components = _parse_list(tokens, text) if tokens and tokens[-1] == "(" else ()
    base = "tuple" if components else tokens.pop()
    dimensions: list[int] = []
    while tokens and tokens[-1].startswith("["):
        dimensions.append(int(tokens.pop()[1:-1] or -1))
    indexed = bool(tokens) and tokens[-1] == "indexed"
    if indexed:
        tokens.pop()
    name = tokens.pop() if tokens and tokens[-1] not in (",", ")") else ""
    return Parameter(base, name, components, tuple(dimensions), indexed)


def encoded_size(parameters: tuple[Parameter, ...], data: bytes) -> int:
    """Bytes at the front of ``data`` that hold the arguments, as a compiler lays them out: tails in order, no gap, no overlap.

    Raises LayoutError if nothing of that kind is there. Runs in time linear in ``data``, so it goes before a general
    decoder, which can be made to copy one tail many times.
    """
    return _end_of_sequence(parameters, data, 0)


def _end_of_sequence(parameters: tuple[Parameter, ...], data: bytes, start: int) -> int:
    """End of an encoded argument list or tuple that begins at ``start``."""
    return _end_of_items(iter(parameters), sum(p.head_size for p in parameters), data, start)


def _end_of_items(items: Iterator[Parameter], heads: int, data: bytes, start: int) -> int:
    head, tail = start, start + heads
    if tail > len(data):
        raise LayoutError("too short")
    for item in items:
        if item.dynamic:
            if int.from_bytes(data[head : head + WORD], "big") != tail - start:
                raise LayoutError("an offset does not point to the next free place")
            tail = _end_of_value(item, data, tail)
        head += item.head_size
    return tail


def _end_of_value(item: Parameter, data: bytes, start: int) -> int:
    """End of a dynamic value whose tail begins at ``start``."""
    if item.components and not item.dimensions:
        return _end_of_sequence(item.components, data, start)
    size = item.dimensions[-1] if item.dimensions else -1
    if size < 0:
        if start + WORD > len(data):
            raise LayoutError("too short")
        size, start = int.from_bytes(data[start : start + WORD], "big"), start + WORD
    if size > len(data):
        raise LayoutError("a length beyond the data")
    if not item.dimensions:
        end = start + -(-size // WORD) * WORD
        if end > len(data):
            raise LayoutError("too short")
        return end
    element = item.element
    return _end_of_items((element for _ in range(size)), size * element.head_size, data, start)
