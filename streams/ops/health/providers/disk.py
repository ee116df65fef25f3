"""The disk that holds the state folder: what is used of it, and that it takes a write."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from streams.metrics import used_percent
from streams.ops.health.finding import Finding, Level

BLOCK = 4096


class Disk:
    """``degraded`` and ``failed``: percent used from which on it is that."""

    name = "disk"
    interval: float | None = None

    def __init__(self, folder: Path, degraded: float, failed: float) -> None:
        self._folder = folder
        self._degraded = degraded
        self._failed = failed

    async def probe(self) -> Finding:
        return await asyncio.to_thread(self._look)

    async def close(self) -> None:
        pass

    def _look(self) -> Finding:
        try:
            usage = shutil.disk_usage(self._folder)
            self._write()
        except OSError as error:
            return Finding("failed", f"the state folder: {error.strerror}")
        percent = used_percent(usage.used, usage.free)
        level = Level("disk used", percent, self._failed, " %")
        said = f"{percent:.1f} % of the disk of the state folder is used"
        if percent >= self._failed:
            return Finding("failed", said, levels=(level,))
        return Finding("degraded" if percent >= self._degraded else "healthy", said, levels=(level,))

    def _write(self) -> None:
        """A full disk says so, whatever it counts as free; so does one that was mounted anew for reading only."""
        path = self._folder / f".health-{os.getpid()}"
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
            try:
                os.write(descriptor, b"\0" * BLOCK)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        finally:
            path.unlink(missing_ok=True)
