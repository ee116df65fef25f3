"""Calls about circuits; see ``streams.serving.calls``."""

from __future__ import annotations

from typing import Any

import orjson

from streams.serving.calls import Call
from streams.serving.wire.circuits import CircuitList, CircuitView


def circuits() -> Call[CircuitList]:
    """All of the gateway's process; the operator's, as the three below."""
    return Call("GET", "/v1/circuits", CircuitList)


def open_circuit(name: str, seconds: float | None) -> Call[CircuitView]:
    """Refuses calls at once."""
    return _posted("open", {"name": name, "seconds": seconds})


def close_circuit(name: str) -> Call[CircuitView]:
    """Lets calls through."""
    return _posted("close", {"name": name})


def reset_circuit(name: str) -> Call[CircuitView]:
    """As if it were new."""
    return _posted("reset", {"name": name})


def _posted(verb: str, wanted: dict[str, Any]) -> Call[CircuitView]:
    return Call("POST", f"/v1/circuits/{verb}", CircuitView, body=orjson.dumps(wanted))
