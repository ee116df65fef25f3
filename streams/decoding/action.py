"""From a decoded call to what it does: slots by name, and the call inside calls that only wrap another.

Invariant: unwrapping goes at most MAX_DEPTH deep and looks at MAX_INNER calls a level, whatever the data says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streams.decoding.abi import parse_signature
from streams.decoding.calldata import Call, decode_arguments, decode_call
from streams.decoding.table import Method
from streams.decoding.tokens import NATIVE

MAX_DEPTH = 3
MAX_INNER = 32
MAX_SLOT_TEXT = 1_024
"""Characters of one slot; longer text is cut and ends in an ellipsis."""

_SIDE_CALLS = frozenset({"approve", "sweep", "wrap", "multicall"})
"""What a batch does on the way to what it is for."""

_ROUTER_IN = "address recipient, uint256 amount_in, uint256 amount_out_min"
_ROUTER_OUT = "address recipient, uint256 amount_out, uint256 amount_in_max"
_V3_PATH, _V2_PATH = "bytes path, bool payer_is_user", "address[] path, bool payer_is_user"
_ENDS = (("token_in", "path.first"), ("token_out", "path.last"))
_TURNED = (("token_in", "path.last"), ("token_out", "path.first"))
_ROUTER_COMMANDS: Mapping[int, Method] = {
    0x00: Method(parse_signature(f"v3SwapExactIn({_ROUTER_IN}, {_V3_PATH})"), "swap", _ENDS),
    0x01: Method(parse_signature(f"v3SwapExactOut({_ROUTER_OUT}, {_V3_PATH})"), "swap", _TURNED),
    0x08: Method(parse_signature(f"v2SwapExactIn({_ROUTER_IN}, {_V2_PATH})"), "swap", _ENDS),
    0x09: Method(parse_signature(f"v2SwapExactOut({_ROUTER_OUT}, {_V2_PATH})"), "swap", _ENDS),
}
"""Commands of the Uniswap Universal Router that trade; the low six bits of a command byte."""


@dataclass(frozen=True)
class Action:
    """``method``: as called on the chain; ``intent`` and ``values``: of the innermost call that says what it is for."""

    method: Method
    intent: str
    values: Mapping[str, Any]


def action_of(call: Call, sender: bytes, to: bytes, value: int) -> Action:
    """What ``call`` of contract ``to`` by ``sender`` with ``value`` wei does."""
    inner, to, value = _innermost(call, to, value, MAX_DEPTH)
    return Action(call.method, inner.method.intent, resolve(inner, sender, to, value))


def resolve(call: Call, sender: bytes, to: bytes, value: int) -> dict[str, Any]:
    """Arguments and derived slots of ``call``; a source that is not there leaves its slot out."""
    values = dict(call.arguments)
    known = {"@to": to, "@value": value, "@sender": sender}
    for slot, source in call.method.derived:
        found = source[1:] if source.startswith("'") else known.get(source)
        if found is None:
            name, _, end = source.partition(".")
            found = _path_end(values.get(name), end)
        if found is not None:
            values[slot] = found
    return values


def _path_end(path: Any, end: str) -> bytes | None:
    """First or last token of a path: a list of addresses, or addresses packed with 3-byte fees between them."""
    if isinstance(path, bytes):
        path = [path[:20], path[-20:]] if len(path) >= 43 and (len(path) - 20) % 23 == 0 else None
    if not path:
        return None
    token: bytes = path[0] if end == "first" else path[-1]
    return token


def _innermost(call: Call, to: bytes, value: int, depth: int) -> tuple[Call, bytes, int]:
    if depth == 0:
        return call, to, value
    if call.method.intent == "multisig":
        to, value = call.arguments["recipient"], call.arguments["amount"]
        inner = decode_call(call.arguments["data"])
        return (call, to, value) if inner is None else _innermost(inner, to, value, depth - 1)
    if call.method.intent == "multicall":
        calls = [found for found in map(decode_call, call.arguments["calls"][:MAX_INNER]) if found is not None]
        purpose = [found for found in calls if found.method.intent not in _SIDE_CALLS] or calls
        return _innermost(purpose[0], to, value, depth - 1) if purpose else (call, to, value)
    if "commands" in call.arguments:
        return _router_swap(call) or call, to, value
    return call, to, value


def _router_swap(call: Call) -> Call | None:
    """The first trade among the commands of a Universal Router call."""
    for command, data in zip(call.arguments["commands"][:MAX_INNER], call.arguments["inputs"], strict=False):
        method = _ROUTER_COMMANDS.get(command & 0x3F)
        values = decode_arguments(method.signature.parameters, data) if method else None
        if method and values is not None:
            names = [p.name for p in method.signature.parameters]
            return Call(method, dict(zip(names, values, strict=True)))
    return None


def slot_text(value: Any) -> str:
    """A value as a slot holds it: integers in decimal, bytes in 0x hex, lists in brackets."""
    return _cut(_plain(value))


def _plain(value: Any) -> str:
    if isinstance(value, bytes):
        return f"0x{value[:MAX_SLOT_TEXT].hex()}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_plain(item) for item in value[:MAX_INNER]) + (", …]" if len(value) > MAX_INNER else "]")
    return str(value)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SLOT_TEXT else text[: MAX_SLOT_TEXT - 1] + "…"


def native_transfer(recipient: bytes, value: int) -> dict[str, Any]:
    """Slots of a plain payment."""
    return {"recipient": recipient, "amount": value, "token": NATIVE}
