"""Metrics of a demo's processes, read as Prometheus reads them."""

from __future__ import annotations

import asyncio

import aiohttp
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from streams.cli.demo.system import System
from streams.errors import Category, MonmouthError, Severity
from streams.ops.alerts.expression import PREFIX

SECONDS = 5.0


class ScrapeError(MonmouthError):
    """A process does not serve its metrics."""

    category = Category.NETWORK
    severity = Severity.MEDIUM


async def scrape(system: System) -> list[Sample]:
    """All samples of all its processes. Raises ScrapeError."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session:
        pages = await asyncio.gather(*(_page(session, name, url) for name, url in system.metrics.items()))
    return [sample for page in pages for sample in page]


async def _page(session: aiohttp.ClientSession, name: str, url: str) -> list[Sample]:
    try:
        async with session.get(url) as answer:
            answer.raise_for_status()
            families = text_string_to_metric_families(await answer.text())
            return [sample for family in families for sample in family.samples if sample.name.startswith(PREFIX)]
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise ScrapeError(f"{name} does not serve its metrics: {error or type(error).__name__}", url) from None


async def total(system: System, name: str, **labels: str) -> float:
    """A metric (without its prefix) of these labels, added up over processes; 0 where there is none yet."""
    wanted = labels.items()
    return sum(s.value for s in await scrape(system) if s.name == PREFIX + name and wanted <= s.labels.items())
