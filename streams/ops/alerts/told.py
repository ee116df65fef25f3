"""An event as receivers are told it. Pure."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from streams.ops.alerts.life import Event


def body_of(event: Event) -> dict[str, Any]:
    """An event as JSON, the same for all channels that take any."""
    return {
        "key": event.key,
        "name": event.rule.name,
        "state": event.state,
        "gone": event.gone,
        "silenced": event.silenced,
        "severity": event.rule.severity,
        "condition": event.rule.condition,
        "description": event.rule.description,
        "runbook": event.rule.runbook,
        "labels": dict(event.labels),
        "value": event.value,
        "since": event.since,
        "at": event.at,
    }


def short_key(key: str, most: int) -> str:
    """A key of at most so many characters, the same for the same key alone: beyond them a digest stands for the rest."""
    if len(key) <= most:
        return key
    digest = sha256(key.encode()).hexdigest()
    return f"{key[: most - len(digest) - 1]}#{digest}"
