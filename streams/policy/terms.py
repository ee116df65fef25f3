"""The numbers of a policy."""

from __future__ import annotations

from dataclasses import dataclass

from streams.policy.errors import CircuitOpenError


@dataclass(frozen=True, slots=True)
class Terms:
    """``failures`` in a row open the circuit for ``open_seconds``; then ``successes`` trial calls must succeed to close it.

    ``concurrent``: most calls at once; None where the place bounds them itself. ``call_seconds``: longest wait for one call,
    and no try begins later than that after the first; None where the driver bounds calls. ``tries``, with pauses from
    ``first_pause`` doubled up to ``longest_pause``, each off by at most the share ``jitter``. ``opened``: what is raised while
    the circuit is open, for those who handle the errors of that place.
    """

    failures: int = 5
    open_seconds: float = 60.0
    successes: int = 3
    concurrent: int | None = 10
    call_seconds: float | None = 30.0
    tries: int = 3
    first_pause: float = 0.1
    longest_pause: float = 10.0
    jitter: float = 0.1
    opened: type[CircuitOpenError] = CircuitOpenError


USUAL = Terms()
