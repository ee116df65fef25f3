"""Notes of erasures that began: a file for each agent, so that a new process goes on with them.

Invariants: a note is there whole or not at all, and one that was written is there until the erasure is done, also while another
takes its place; of several processes that begin at once the first one's counts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streams.errors import StoreError
from streams.private_file import make_once, replace_whole


@dataclass(frozen=True, slots=True)
class Note:
    """``root_before``: what was published when it began. ``vectors``: the agent's name in a store that is cleared by name.

    ``command``: the ERASE as the agent signed it; None where the gateway says so itself.
    """

    requested_at: int
    root_before: dict[str, Any] | None
    vectors: str
    command: bytes | None


def read(path: Path) -> Note | None:
    """The note, if there is one. Raises StoreError for one that cannot be read."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}") from None
    try:
        said = {"vectors": "", "command": None, **json.loads(content)}
        command = said.pop("command")
        return Note(**said, command=None if command is None else bytes.fromhex(command))
    except (TypeError, ValueError):
        raise StoreError(
            f"{path} is no note of an erasure", "Move it away; if the erasure was not done, ask for it again."
        ) from None


def begin(path: Path, note: Note) -> None:
    """Writes the note, unless there is one. Raises OSError."""
    make_once(path, lambda: _text(note))


def replace(path: Path, note: Note) -> None:
    """Puts the note in the place of the one that is there. Raises OSError."""
    replace_whole(path, _text(note).encode())


def _text(note: Note) -> str:
    said = {
        "requested_at": note.requested_at,
        "root_before": note.root_before,
        "vectors": note.vectors,
        "command": None if note.command is None else note.command.hex(),
    }
    return json.dumps(said, indent=2) + "\n"
