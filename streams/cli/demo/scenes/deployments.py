"""Two deployments of one chain: equal, then one of them loses a memory, is found out, and mended."""

from __future__ import annotations

import time

from streams.cli.demo.course import Metrics, expect
from streams.cli.demo.scenes.faults import lose_row
from streams.cli.demo.system import System
from streams.cli.demo.system import beside as second_system
from streams.cli.sync import compared
from streams.cli.sync.repairing import repaired
from streams.serving.sync.compare import LIMIT
from streams.serving.sync.findings import Findings

NAME = "second"


async def beside(system: System) -> Metrics:
    """Raises CheckError unless the two agree, one that lost a memory differs in just that, and agrees again when mended."""
    token = system.settings.path(system.settings.security.partner_token_file)
    began = time.monotonic()
    async with second_system(system, NAME) as second:
        await second.settle()
        caught_up = time.monotonic() - began
        found = await _compared(second, system, "equal")
        lost, _ = await lose_row(second, system.chain.agents[1])
        found = await _compared(second, system, "differs")
        assert found.stores is not None
        named = [memory.memory_id for one in found.stores.agents for memory in one.memories]
        expect(named == ["0x" + lost.hex()], f"{len(named)} memories are said to differ, the one that was lost is not alone")
        _, outcome = await repaired(second.settings, second.url, system.url, token, LIMIT, dry=False)
        expect(outcome.sound, f"something is left to do: {'; '.join(outcome.left)}")
        found = await _compared(second, system, "equal")
    return {
        "seconds until it had caught up": caught_up,
        "compared at block": found.compared_at,
        "memories lost": 1,
        "memories found and mended": sum(one.mended for one in outcome.agents),
        "requests": sum(found.requests),
    }


async def _compared(here: System, peer: System, verdict: str) -> Findings:
    token = peer.settings.path(peer.settings.security.partner_token_file)
    found = await compared(here.settings, here.url, peer.url, token, LIMIT)
    expect(found.verdict == verdict, f"the two deployments are said to be {found.verdict}, they are {verdict}")
    return found
