"""Runs set up by hand."""

from __future__ import annotations

from tests.sim.parameters import Parameters

SHORT_SEED = 7
SHORT = Parameters.quiet(
    agents="relay", seconds=3.0, block_seconds=0.8, reorg_rate=0.5, transactions=2, commands=1.0, poll_interval=0.7, hints=0.5,
    state_seconds=0.5, workers=1,
)  # fmt: skip
"""A few blocks and reorgs through the producer and two stream agents: short enough to crash at each of its points."""

TINY_SEED = 2
TINY = Parameters.quiet(
    agents="tally", partitions=1, seconds=1.6, blocks_at_start=2, block_seconds=0.5, reorg_rate=0.5, transactions=2,
    commands=1.0, poll_interval=0.5, hints=0.5, state_seconds=0.5,
)  # fmt: skip
"""The same with one stream agent and one partition."""
