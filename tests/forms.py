"""The form of JSON-RPC answers: keys and kinds of values, to hold two nodes against each other."""

from __future__ import annotations

import re
from typing import Any

QUANTITY = re.compile(r"0x(0|[1-9a-f][0-9a-f]*)")


def form(value: Any) -> Any:
    """What a strict reader can tell from a JSON value without knowing the chain."""
    if isinstance(value, dict):
        return {key: form(item) for key, item in value.items()}
    if isinstance(value, list):
        return []  # compared item by item where there are items
    if not isinstance(value, str):
        return type(value).__name__
    if len(value) in (18, 42, 66, 514) and re.fullmatch(r"0x[0-9a-f]+", value):
        return f"{len(value) // 2 - 1} bytes"
    return "quantity" if QUANTITY.fullmatch(value) else "data"


def loose(shape: Any, *data_keys: str) -> Any:
    """Data of any length may look like a quantity or like a hash; so may r and s."""
    return {key: "any" if key in data_keys else value for key, value in shape.items()}
