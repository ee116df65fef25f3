"""Codecs of the record types, one module each, written by ``python -m schemas.compiler``.

Invariant: a module is used only for the very schema it was compiled from.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

Read = Callable[[bytes, int], tuple[dict[str, Any], int]]
Write = Callable[[bytes, Any], bytes]
NAMES = frozenset(path.stem for path in Path(__file__).parent.glob("[A-Z]*.py"))


def find(name: str, digest: str) -> tuple[Read, Write] | None:
    """The reader and writer of record ``name``, if there are some for the schema with this digest."""
    if name not in NAMES:
        return None
    module = import_module(f"{__name__}.{name}")
    return (module.read, module.write) if digest == module.SCHEMA else None
