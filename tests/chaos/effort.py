"""Reads the workers' own counters of records folded, so that repeats and replays show. What a killed process did since the last
look (a quarter of a second before) is not known.
"""

from __future__ import annotations

import asyncio

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.chaos.stage import Stage
from tests.checker.events import Work

EVERY = 0.25
METRIC = "monmouth_runtime_folded"


def folded(text: str) -> dict[str, int]:
    """Records folded by stream agent."""
    samples = (s for family in text_string_to_metric_families(text) if family.name == METRIC for s in family.samples)
    return {s.labels["agent"]: int(s.value) for s in samples if s.name == f"{METRIC}_total"}


async def watch(stage: Stage) -> None:
    """Until cancelled."""
    last: dict[tuple[str, int, str], int] = {}
    timeout = aiohttp.ClientTimeout(total=1.0)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while True:
            for name, port in list(stage.ports.items()):
                await _look(stage, session, name, port, last)
            await asyncio.sleep(EVERY)


async def _look(
    stage: Stage, session: aiohttp.ClientSession, name: str, port: int, last: dict[tuple[str, int, str], int]
) -> None:
    child = stage.processes.children.get(name)
    if child is None or child.down:
        return
    incarnation = child.incarnation
    try:
        async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            found = folded(await answer.text())
    except (aiohttp.ClientError, TimeoutError, OSError):
        return
    for agent, count in found.items():
        more = count - last.get((name, incarnation, agent), 0)
        if more > 0:
            stage.recorder.say(Work(group=agent, records=more))
            last[name, incarnation, agent] = count
