"""What a machine cannot do for a fault."""

from __future__ import annotations


class UnavailableError(Exception):
    """A fault cannot strike on this machine. Says what it would need."""
