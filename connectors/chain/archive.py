"""A file or folder of history as a chain source: era1 archives, or dumps of JSON-RPC answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from connectors.chain import dump, era1
from connectors.chain.history import Arrival, HistorySource
from connectors.chain.verify import Level
from streams.errors import ConfigurationError


def open_archive(path: Path, chain_id: int, level: Level = "roots", *, siblings: bool = True) -> HistorySource:
    """The source over ``path``. ``siblings``: era1 uncles arrive too, before the block that won. Raises ConfigurationError."""
    return HistorySource(_arrivals(path, siblings), chain_id, level)


def _arrivals(path: Path, siblings: bool) -> Iterator[Arrival]:
    if not path.exists():
        raise ConfigurationError(f"no history at {path}")
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    archives = [file for file in files if file.suffix == ".era1"]
    dumps = [file for file in files if dump.is_dump(file)]
    if bool(archives) == bool(dumps):
        raise ConfigurationError(
            f"{path} holds {len(archives)} era1 files and {len(dumps)} dumps",
            f"Give era1 files, or {', '.join(dump.SUFFIXES)}.",
        )
    if dumps:
        return dump.arrivals(dumps)
    return (arrival for file in archives for arrival in era1.arrivals(file, siblings=siblings))
