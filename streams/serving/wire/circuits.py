"""Shapes of circuits: how the gateway's process asks each place outside, and what an operator does about it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streams.serving.wire.base import Answer, Text, Wire

CircuitState = Literal["closed", "open", "half_open"]
LONGEST_NAME = 1_000
LONGEST_OPEN = 7 * 86_400.0


class CircuitView(Answer):
    """The circuit of one place. ``failures``: in a row; ``running``: calls under way; ``mean_seconds``: of the newest calls.

    ``retry_after``: seconds until trial calls go through, null where it is closed, or open until somebody closes it. ``why``:
    what it met last, or that a person opened it.
    """

    name: str
    state: CircuitState
    failures: int
    running: int
    retry_after: float | None
    why: str
    mean_seconds: float | None


class CircuitList(Answer):
    """All that the gateway's process holds now, by name."""

    circuits: list[CircuitView]


class CircuitRequest(Wire):
    """Which circuit."""

    name: Text = Field(min_length=1, max_length=LONGEST_NAME, description="As GET /v1/circuits has it.")


class OpenCircuitRequest(CircuitRequest):
    """Which circuit, and for how long."""

    seconds: float | None = Field(
        default=None, gt=0, le=LONGEST_OPEN, description="After which trial calls decide; null: until it is closed."
    )
