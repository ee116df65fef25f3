"""Content that is JSON: numbers, and structures told as text.

``application/vnd.monmouth.numbers+json`` is a JSON array of numbers, or an object of them by name; its features go into an
index of their own. Other JSON is told as its keys and values, the same for equal values however they are written.
Invariants: pure; what is too long, too deep, not finite or not JSON is None, never an error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

NUMBERS = "application/vnd.monmouth.numbers+json"
JSON = "application/json"
MAX_BYTES = 65_536
MAX_FEATURES = 256
MAX_NAME = 64
MAX_DEPTH = 16


def plain_type(media_type: str) -> str:
    """Without parameters, in lower case."""
    return media_type.partition(";")[0].strip().lower()


def features(content: bytes) -> dict[str, float] | None:
    """Numbers by name; those of an array by their place. None if it is not one to MAX_FEATURES finite numbers."""
    held = _parsed(content)
    named = {str(place): value for place, value in enumerate(held)} if isinstance(held, list) else held
    if not isinstance(named, dict) or not 0 < len(named) <= MAX_FEATURES:
        return None
    found = {}
    for name, value in named.items():
        number = _number(value)
        if number is None or not 0 < len(name) <= MAX_NAME:
            return None
        found[name] = number
    return found


def told(content: bytes) -> str | None:
    """Keys and values as text, keys in order: ``name: value; outer.inner: value``. None if it is not JSON."""
    held = _parsed(content)
    if held is _NOTHING:
        return None
    try:
        return "; ".join(f"{path}: {value}" if path else value for path, value in _leaves(held, "", MAX_DEPTH))
    except RecursionError:
        return None


def leaves(content: bytes) -> list[tuple[str, float | None]]:
    """Paths of a structure's values in order, with those that are finite numbers; none of what is no object or array."""
    held = _parsed(content)
    if not isinstance(held, dict | list):
        return []
    try:
        return list(_numbered(held, "", MAX_DEPTH))
    except RecursionError:
        return []


def wrong_structure(content: bytes, media_type: str) -> str:
    """Why content is not what its media type says; empty if it is, or if that says nothing of structure."""
    name = plain_type(media_type)
    if name == NUMBERS and features(content) is None:
        return f"content is not a JSON array or object of 1 to {MAX_FEATURES} finite numbers, as {NUMBERS} must be"
    if name == JSON and len(content) <= MAX_BYTES and _parsed(content) is _NOTHING:
        return f"content is not JSON, as {JSON} must be"
    return ""


_NOTHING = object()


def _parsed(content: bytes) -> Any:
    if len(content) > MAX_BYTES:
        return _NOTHING
    try:
        return json.loads(content)
    except (ValueError, RecursionError):  # not JSON, not UTF-8, a number of too many digits, or too deep
        return _NOTHING


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _leaves(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    if depth == 0:
        raise RecursionError
    if isinstance(value, dict):
        for key in sorted(value):
            yield from _leaves(value[key], f"{path}.{key}" if path else key, depth - 1)
    elif isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        for item in value:
            yield from _leaves(item, path, depth - 1)
    elif isinstance(value, list):
        yield path, ", ".join(map(_scalar, value))
    else:
        yield path, _scalar(value)


def _numbered(value: Any, path: str, depth: int) -> Iterator[tuple[str, float | None]]:
    if depth == 0:
        raise RecursionError
    if isinstance(value, dict):
        for key in sorted(value):
            yield from _numbered(value[key], f"{path}.{key}" if path else key, depth - 1)
    elif isinstance(value, list):
        for item in value:
            yield from _numbered(item, path, depth - 1)
    else:
        yield path, _number(value)


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
