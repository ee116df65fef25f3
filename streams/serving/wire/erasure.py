"""Shape of what is said about an erasure."""

from __future__ import annotations

from typing import Any

from streams.serving.wire.base import Answer


class ErasureView(Answer):
    """``receipt``: signed, once ``done``; keep it, and check it with `monmouth erase verify`."""

    agent: str
    done: bool
    receipt: dict[str, Any] | None
