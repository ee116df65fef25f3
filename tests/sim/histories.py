"""Runs set up by hand, short enough to crash at each of their points of I/O."""

from __future__ import annotations

from typing import NamedTuple

from tests.sim.parameters import Parameters


class Short(NamedTuple):
    """One run."""

    seed: int
    parameters: Parameters


TINY = Short(2, Parameters.quiet(
    agents="tally", partitions=1, seconds=1.6, blocks_at_start=2, block_seconds=0.5, reorg_rate=0.5, transactions=2,
    commands=1.0, poll_interval=0.5, hints=0.5, state_seconds=0.5,
))  # fmt: skip
"""A few blocks and a reorg through the producer and one stream agent."""

CHAINED = Short(20, Parameters.quiet(
    agents="relay", seconds=3.0, block_seconds=0.8, reorg_rate=0.5, transactions=2, commands=1.0, poll_interval=0.7, hints=0.5,
    state_seconds=0.5, workers=1,
))  # fmt: skip
"""The same with two stream agents, one behind the other, and two partitions."""

POISONED = Short(1, Parameters.quiet(
    agents="relay", partitions=1, seconds=3.0, blocks_at_start=4, block_seconds=0.6, transactions=2, poison=0.3, commands=1.0,
    command_poison=0.4, reorg_rate=0.5, reorg_depth=6, finality_depth=1, below_finality=True, confirmations=1,
    poll_interval=0.4, hints=0.5, state_seconds=0.5, window=1, interval=2,
))  # fmt: skip
"""Reorgs below finality, deeper than the ring of checkpoints, and records that can never be processed."""

STORED = Short(1, Parameters.quiet(
    agents="memory", partitions=1, seconds=2.0, blocks_at_start=2, block_seconds=0.5, reorg_rate=0.5, transactions=2,
    commands=2.0, poll_interval=0.5, hints=0.5, state_seconds=0.5,
))  # fmt: skip
"""The real stream agents, which write to a store outside the log."""

REPLAYED = Short(2, Parameters.quiet(
    agents="relay", partitions=1, seconds=3.0, blocks_at_start=4, block_seconds=0.6, transactions=2, commands=1.0,
    reorg_rate=0.5, reorg_depth=3, poll_interval=0.4, hints=0.5, state_seconds=0.5, interval=2, replay_rate=0.8,
    replay_blocks=2,
))  # fmt: skip
"""Old work is taken back and done again, in several transactions, while the chain goes on."""

SHORTS = {"tiny": TINY, "chained": CHAINED, "poisoned": POISONED, "stored": STORED, "replayed": REPLAYED}
