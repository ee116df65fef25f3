"""Files that are replaced whole: whoever reads one, also after the machine stopped, finds the old text or the new one.

Assumes one writer at a time. Invariants: what is in the new file is on the disk before its name is; a file that was there keeps
its mode.
"""

from __future__ import annotations

import os
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """In a folder that is there. Raises OSError."""
    new = path.with_name(f".{path.name}.new")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if path.exists():
        new.chmod(path.stat().st_mode & 0o777)
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
