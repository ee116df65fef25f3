"""The one table of parameters. Each is drawn by its name from the seed, so that adding one changes no other.

A value stands in its list as often as it shall be drawn; most runs have most faults switched off, so that faults meet in pairs
as well as in crowds.
"""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

TABLE: dict[str, tuple[Any, ...]] = {
    # who runs
    "agents": ("tally", "tally", "tally", "copy", "relay", "relay", "memory"),
    "beside": ("none", "none", "intent", "graph"),  # another real one, where the memory agent runs
    "workers": (1, 2, 2, 3),
    "producers": (1, 1, 1, 2),
    "partitions": (1, 2, 2, 3),
    "seconds": (10.0, 20.0, 40.0),
    # the chain
    "blocks_at_start": (1, 3, 10, 25),
    "block_seconds": (0.5, 2.0, 5.0),
    "transactions": (0, 1, 3, 3, 6),
    "poison": (0.0, 0.0, 0.0, 0.05, 0.3),
    "commands": (0.0, 0.2, 1.0),
    "command_copies": (0.0, 0.0, 0.1, 0.5),
    "command_poison": (0.0, 0.0, 0.1),
    "reorg_rate": (0.0, 0.1, 0.3, 0.6),
    "reorg_depth": (1, 2, 3, 6, 12, 30, 256),
    "flip_rate": (0.0, 0.0, 0.3),
    "rewind_rate": (0.0, 0.0, 0.1, 0.3),
    "shorter_rate": (0.0, 0.3),
    "finality": ("depth", "tag", "none"),
    "finality_depth": (2, 5, 20, 64),
    "below_finality": (False, False, True),
    "keeps_orphans": (True, True, False),
    # the node's answers
    "source_errors": (0.0, 0.0, 0.02, 0.2),
    "lag": (0.0, 0.0, 0.1, 0.5),
    "forgets": (0.0, 0.0, 0.05),
    "wrong_tag": (0.0, 0.0, 0.2),
    "lies": (0.0, 0.0, 0.05),
    "syncing": (0.0, 0.0, 0.3),
    "hints": (0.0, 0.5, 1.0),
    "hint_delay": (0.0, 0.1, 3.0),
    "hint_copies": (1, 1, 4),
    # the producer
    "batch_blocks": (1, 4, 50),
    "confirmations": (1, 2, 3, 3),
    "poll_interval": (0.3, 1.0, 1.0),
    "keep": (4, 64, 1024),
    # the broker
    "latency": (0.0002, 0.002, 0.02),
    "spikes": (0.0, 0.0, 0.01, 0.05),
    "broker_errors": (0.0, 0.0, 0.001, 0.005, 0.02),
    "indefinite_commits": (0.0, 0.0, 0.02, 0.2),
    "marker_delay": (0.0, 0.0, 0.01, 0.5),
    "late": (0.0, 0.0, 0.3),
    "outage_rate": (0.0, 0.0, 0.03),
    "outage_seconds": (0.3, 3.0, 15.0),
    "compaction_rate": (0.0, 0.1, 0.5),
    "rebalance_rate": (0.0, 0.0, 0.05, 0.3),
    "session_timeout": (0.5, 2.0, 6.0),
    "transaction_timeout": (3.0, 10.0, 30.0),
    # processes
    "crash_rate": (0.0, 0.0, 0.0005, 0.002, 0.005),
    "kill_rate": (0.0, 0.0, 0.03),
    "pause_rate": (0.0, 0.0, 0.03, 0.1),
    "pause_seconds": (0.3, 3.0, 20.0),
    "restart_seconds": (0.1, 1.0, 10.0),
    "lose_disk": (0.0, 0.0, 0.3, 1.0),
    "shared_disk": (False, False, True),
    "disk_errors": (0.0, 0.0, 0.02),
    "clock_jumps": (0.0, 0.0, 0.5),
    "standby": (False, False, True),
    # the memory store
    "store_errors": (0.0, 0.0, 0.05),
    "store_latency": (0.0, 0.01, 0.5),
    # the runtime
    "poll_records": (1, 3, 20, 4000, 4000),
    "rewind_span": (1, 7, 20_000),
    "state_seconds": (0.0, 0.5, 1e9),
    "state_bytes": (1, 2_000, 1 << 25),
    "window": (2, 8, 64, 256),
    "interval": (3, 10, 300),
    # the operator
    "replay_rate": (0.0, 0.0, 0.0, 0.02, 0.1),
    "replay_blocks": (1, 5, 4_000),
}
QUIET: dict[str, Any] = {
    "agents": "tally", "beside": "none", "workers": 1, "producers": 1, "partitions": 2, "seconds": 5.0, "blocks_at_start": 3,
    "block_seconds": 1.0, "transactions": 3, "poison": 0.0, "commands": 0.5, "command_copies": 0.0,
    "command_poison": 0.0, "reorg_rate": 0.0, "reorg_depth": 2, "flip_rate": 0.0, "rewind_rate": 0.0,
    "shorter_rate": 0.0, "finality": "depth", "finality_depth": 3, "below_finality": False,
    "keeps_orphans": True, "source_errors": 0.0, "lag": 0.0, "forgets": 0.0, "wrong_tag": 0.0, "lies": 0.0,
    "syncing": 0.0, "hints": 1.0, "hint_delay": 0.0, "hint_copies": 1, "batch_blocks": 50, "confirmations": 2,
    "poll_interval": 1.0, "keep": 1024, "latency": 0.002, "spikes": 0.0, "broker_errors": 0.0,
    "indefinite_commits": 0.0, "marker_delay": 0.0, "late": 0.0, "outage_rate": 0.0, "outage_seconds": 1.0,
    "compaction_rate": 0.0, "rebalance_rate": 0.0, "session_timeout": 2.0, "transaction_timeout": 10.0,
    "crash_rate": 0.0, "kill_rate": 0.0, "pause_rate": 0.0, "pause_seconds": 1.0, "restart_seconds": 0.1,
    "lose_disk": 0.0, "shared_disk": False, "standby": False, "disk_errors": 0.0, "clock_jumps": 0.0, "store_errors": 0.0,
    "store_latency": 0.0, "poll_records": 4000, "rewind_span": 20_000, "state_seconds": 0.0,
    "state_bytes": 1 << 25, "window": 8, "interval": 3, "replay_rate": 0.0, "replay_blocks": 5,
}  # fmt: skip
"""Nothing goes wrong: what runs that are set up by hand start from."""


class Parameters(SimpleNamespace):
    """One value for each name of the table."""

    @classmethod
    def drawn(cls, seed: int, **fixed: Any) -> Parameters:
        """By name from ``seed``; ``fixed`` overrides."""
        values = {name: Random(f"{seed}/{name}").choice(choices) for name, choices in TABLE.items()}
        if values["reorg_depth"] == 256:  # dear: one in a few of those drawn
            deep = Random(f"{seed}/deep").random() < 0.25
            values["reorg_depth"] = 256 if deep else 12
            values["blocks_at_start"] = 270 if deep else values["blocks_at_start"]
        # A node that lost what it called final needs a person, by design.
        if values["below_finality"] or values["wrong_tag"]:
            values["keeps_orphans"] = True
        return cls(**(values | fixed))

    @classmethod
    def quiet(cls, **changed: Any) -> Parameters:
        """No faults but those in ``changed``."""
        return cls(**(QUIET | changed))

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in sorted(vars(self).items()))
