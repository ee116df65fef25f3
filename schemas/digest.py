"""Names a schema text."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def schema_digest(schema: Any) -> str:
    """SHA-256 of the parsed schema, in hex; layout of the file does not matter."""
    return hashlib.sha256(json.dumps(schema, sort_keys=True).encode()).hexdigest()
