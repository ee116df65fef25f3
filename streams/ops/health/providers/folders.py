"""Store folders: that every LMDB environment in the state folder opens, and its databases can be read.

It is opened beside whoever writes to it, for reading, by a process of its own: within one process an environment may be open
once, and this one may be who holds it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from streams.errors import StoreError
from streams.ops.health.finding import Finding, Level

DATA = "data.mdb"
FULL = 95.0
DEEPEST = 3
"""Folders between one that is named and an environment: local state lies in local/AGENT/PARTITION."""
MOST = 256
"""Environments that are looked at."""
LOOK = """
import json, sys, lmdb
for folder in sys.argv[1:]:
    try:
        with lmdb.open(folder, readonly=True, create=False, map_size=0, max_dbs=64, max_readers=510) as environment:
            with environment.begin() as transaction:
                for name, _ in transaction.cursor():
                    break
            info = environment.info()
            said = 100 * (info["last_pgno"] + 1) * environment.stat()["psize"] / info["map_size"]
    except lmdb.Error as error:
        said = type(error).__name__
    print(json.dumps([folder, said]))
"""


class Folders:
    """``folders``: below which environments are looked for. None there yet is well."""

    name = "store_folders"
    interval: float | None = None

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(folders)

    async def probe(self) -> Finding:
        folders = await asyncio.to_thread(self._found)
        wrong, levels = [], []
        for folder, said in await _looked(folders) if folders else []:
            if isinstance(said, str):
                wrong.append(f"{folder.name}: {said}")
            else:
                levels.append(Level(f"map of {folder.name} used", said, FULL, " %"))
        full = [f"{level.of}: {level.value:.0f} %" for level in levels if level.value >= level.limit]
        if wrong:
            return Finding("failed", "; ".join([*wrong, *full]), levels=tuple(levels))
        return Finding("degraded" if full else "healthy", "; ".join(full) or f"{len(levels)} open", levels=tuple(levels))

    async def close(self) -> None:
        pass

    def _found(self) -> list[Path]:
        return sorted(
            {
                data.parent
                for folder in self._folders
                for depth in range(DEEPEST + 1)
                for data in folder.glob("*/" * depth + DATA)
            }
        )[:MOST]


async def _looked(folders: list[Path]) -> list[tuple[Path, float | str]]:
    """Of each folder how full its map is, or why it does not open. Raises StoreError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-c", LOOK, *map(str, folders),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    found = [(Path(folder), said) for folder, said in map(json.loads, output.splitlines())]
    if process.returncode or len(found) != len(folders):
        raise StoreError(f"the look at store folders ended with {process.returncode} after {len(found)} of {len(folders)}")
    return found
