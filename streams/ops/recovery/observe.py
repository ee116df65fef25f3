"""How a process is, seen from outside: its exit code, its probes, its metrics. What it says is taken as numbers, counts, and
names of parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from streams.ops.recovery.ailments import CATEGORIES

PATIENCE = 2.0
MOST_BYTES = 16 * 1024 * 1024
WORK = ("monmouth_runtime_records_total", "monmouth_producer_blocks_total")
"""What grows while a process works."""
WAITING = "monmouth_runtime_seconds_behind"
RESTORED = "monmouth_runtime_restored_total"
"""What grows while partitions are opened or rewound, by stream agent."""
HELD = "monmouth_runtime_held"
OWNED = "monmouth_runtime_partitions"
BREAKER = "monmouth_circuit_breaker_state"
WITHOUT = "monmouth_degraded"
BACK = "monmouth_degraded_answers"


@dataclass(frozen=True, slots=True)
class Sight:
    """One look. ``answers``: its probes do. ``started``: it had all it needs to begin. ``complaints``: how many there are of
    readiness. ``work``: done since it started.

    ``hindered``: what does not get on, by the names its complaints begin with, such as AGENT/PARTITION, but for partitions that
    are held back. ``restored``: work done to open partitions, by stream agent.
    ``waiting``: age in seconds of the oldest record that waits, but for partitions that are held back. ``places``: that do not
    answer it: first words of the names of circuits that are open, and parts that it misses. ``without``: parts that it does
    without on purpose; ``back``: those that answer again.
    """

    answers: bool = False
    live: bool = False
    started: bool = False
    complaints: int = 0
    hindered: frozenset[str] = field(default=frozenset())
    restored: Mapping[str, float] = field(default_factory=dict)
    held: int = 0
    owned: int = 0
    work: float = 0.0
    waiting: float = 0.0
    places: frozenset[str] = field(default=frozenset())
    without: frozenset[str] = field(default=frozenset())
    back: frozenset[str] = field(default=frozenset())

    @property
    def ready(self) -> bool:
        """Whether work gets on, but for partitions that are held back on purpose."""
        return self.answers and self.live and self.complaints <= self.held


async def look(session: aiohttp.ClientSession, port: int) -> Sight:
    """Asks the probes of the process on ``port``. Never raises for what that does."""
    base = f"http://127.0.0.1:{port}"
    try:
        live, _ = await _get(session, f"{base}/livez")
        started, _ = await _get(session, f"{base}/startupz")
        ready, complaints = await _get(session, f"{base}/readyz")
        _, metrics = await _get(session, f"{base}/metrics")
        found = measured(metrics)
        missed = frozenset() if ready == 200 else missing(complaints)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return Sight()
    return Sight(
        answers=True,
        live=live == 200,
        started=started == 200,
        hindered=frozenset() if ready == 200 else named(complaints) - {place for place, on in found[HELD].items() if on},
        restored=found[RESTORED],
        complaints=0 if ready == 200 else max(1, len(complaints.splitlines())),
        held=int(sum(found[HELD].values())),
        owned=int(sum(found[OWNED].values())),
        work=sum(sum(found[name].values()) for name in WORK),
        waiting=max((age for place, age in found[WAITING].items() if not found[HELD].get(place)), default=0.0),
        places=frozenset(name.split(" ")[0] for name, state in found[BREAKER].items() if state) | missed,
        without=frozenset(part for part, on in found[WITHOUT].items() if on),
        back=frozenset(part for part, on in found[BACK].items() if on),
    )


def measured(page: str) -> Mapping[str, dict[str, float]]:
    """Values of the metrics that are looked at, by the labels' values. Raises ValueError."""
    found: dict[str, dict[str, float]] = {name: {} for name in (*WORK, RESTORED, WAITING, HELD, OWNED, BREAKER, WITHOUT, BACK)}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name in found:
                found[sample.name]["/".join(sample.labels.values())] = float(sample.value)
    return found


def named(complaints: str) -> frozenset[str]:
    """What a process complains of: a complaint begins with the name of its part."""
    return frozenset(line.partition(":")[0] for line in complaints.splitlines())


def missing(complaints: str) -> frozenset[str]:
    """Outside places among the parts that a process misses."""
    return named(complaints) & CATEGORIES.keys()


async def _get(session: aiohttp.ClientSession, url: str) -> tuple[int, str]:
    async with session.get(url, timeout=aiohttp.ClientTimeout(total=PATIENCE)) as answer:
        body = await answer.content.read(MOST_BYTES)
        while len(body) < MOST_BYTES and (more := await answer.content.read(MOST_BYTES)):
            body += more
        return answer.status, body.decode(errors="replace")
