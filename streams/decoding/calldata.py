"""Call data to a known method and its arguments, strictly.

Input is hostile. Invariant: a Call is returned only if its arguments and its suffix encode back to the very bytes given,
so a selector that collides with a known one, cut data and dirty padding are "unknown", never a guess. A suffix is what
wallets append to say who sent the user; contracts never see it, so it does not change the meaning of a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError

from streams.decoding.abi import LayoutError, Parameter, encoded_size
from streams.decoding.table import METHODS, Method

MAX_CALLDATA = 131_072
"""Bytes. Longer data is not decoded: transaction pools refuse it, and decoding takes microseconds a word."""

MAX_SUFFIX = 96
"""Bytes behind the arguments of a method that has any. The agents' own call interface admits none."""


@dataclass(frozen=True)
class Call:
    """``arguments``: by name, the members of tuples beside plain arguments; addresses as 20 bytes, integers as int."""

    method: Method
    arguments: Mapping[str, Any]
    suffix: bytes = b""


def decode_call(data: bytes) -> Call | None:
    """The call ``data`` encodes, or None if no known method strictly fits."""
    method = METHODS.get(data[:4])
    if method is None or len(data) > MAX_CALLDATA:
        return None
    parameters, body = method.signature.parameters, data[4:]
    try:
        size = encoded_size(parameters, body)
    except LayoutError:
        return None
    allowed = MAX_SUFFIX if parameters and not method.of_agents else 0
    if len(body) - size > allowed:
        return None
    values = decode_arguments(parameters, body[:size])
    return None if values is None else Call(method, _named(parameters, values), body[size:])


def decode_arguments(parameters: tuple[Parameter, ...], data: bytes) -> tuple[Any, ...] | None:
    """Values of ``parameters``, or None unless they encode back to ``data``. Addresses are 20 bytes."""
    types = [p.type for p in parameters]
    try:
        if encoded_size(parameters, data) != len(data):
            return None
        values = decode(types, data)
        if encode(types, values) != data:
            return None
    except (LayoutError, DecodingError, EncodingError, UnicodeError, OverflowError):
        return None
    return tuple(_with_bytes_addresses(p, value) for p, value in zip(parameters, values, strict=True))


def _with_bytes_addresses(parameter: Parameter, value: Any) -> Any:
    """eth-abi gives addresses as hex text; the product knows them as 20 bytes."""
    if parameter.dimensions:
        return [_with_bytes_addresses(parameter.element, item) for item in value]
    if parameter.components:
        return tuple(_with_bytes_addresses(c, item) for c, item in zip(parameter.components, value, strict=True))
    return bytes.fromhex(value[2:]) if parameter.base == "address" else value


def _named(parameters: tuple[Parameter, ...], values: tuple[Any, ...]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for parameter, value in zip(parameters, values, strict=True):
        if parameter.components and not parameter.dimensions:
            named |= _named(parameter.components, value)
        else:
            named[parameter.name] = value
    return named
