"""What this process and its machine have left of processor and memory."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import psutil

from streams.ops.health.finding import Finding, Level, Status, together


class Resources:
    """Healthy below the first limits, degraded below ``failed``, in percent of the machine; of the processor since the last
    look.
    """

    name = "resources"
    interval: float | None = None

    def __init__(self, cpu: float, memory: float, failed: float) -> None:
        self._cpu = cpu
        self._memory = memory
        self._failed = failed
        self._process = psutil.Process(os.getpid())
        self._times = psutil.cpu_times()

    async def probe(self) -> Finding:
        cpu, memory, own = await asyncio.to_thread(self._measured)
        busy = Finding("degraded" if cpu >= self._cpu else "healthy")  # it does its work, and what is late by it says so itself
        found = together((busy, self._judged(memory)))
        said = f"machine: cpu {cpu:.0f} %, memory {memory:.0f} %; this process: {own / 2**20:.0f} MiB"
        return Finding(found.status, said, found.score, levels=found.levels)

    async def close(self) -> None:
        pass

    def _measured(self) -> tuple[float, float, float]:
        before, self._times = self._times, psutil.cpu_times()
        spent = sum(self._times) - sum(before)
        idle = _idle(self._times) - _idle(before)
        return (
            100 * max(0.0, 1 - idle / spent) if spent > 0 else 0.0,
            psutil.virtual_memory().percent,
            float(self._process.memory_info().rss),
        )

    def _judged(self, memory: float) -> Finding:
        status: Status = "healthy" if memory < self._memory else "degraded" if memory < self._failed else "failed"
        return Finding(status, levels=(Level("memory used", memory, self._failed, " %"),))


def _idle(times: Any) -> float:
    return float(times.idle) + float(getattr(times, "iowait", 0.0))
