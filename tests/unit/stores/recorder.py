"""A client that notes what it is asked."""

from __future__ import annotations

from typing import Any

Calls = list[tuple[str, dict[str, Any]]]
"""Each call's name and options, in their order."""


class Recorder:
    """Passes calls on to the client, and notes them."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.calls: Calls = []

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            self.calls.append((name, options))
            return getattr(self.client, name)(*arguments, **options)

        return call

    def count(self, name: str) -> int:
        """How many calls of ``name`` there were."""
        return [called for called, _ in self.calls].count(name)
