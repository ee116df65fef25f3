"""The ``monmouth`` command: gathers the commands of every part and turns errors into messages."""

from __future__ import annotations
