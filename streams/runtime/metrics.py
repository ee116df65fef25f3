"""Counters of the runtime, per process. Labels: ``agent`` the stream agent, ``topic`` logical, ``partition`` its number."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_AGENT = ["agent"]

RECORDS = Counter("monmouth_runtime_records_total", "Input records committed.", _AGENT)
FOLDED = Counter(
    "monmouth_runtime_folded_total", "Input records applied or reverted, replays and work given up included.", _AGENT
)
RESTORED = Counter(
    "monmouth_runtime_restored_total",
    "Input records read, done again or taken back to open a partition or to follow an undo, further than any attempt before.",
    _AGENT,
)
OUTPUTS = Counter("monmouth_runtime_outputs_total", "Output records committed, markers and checkpoints included.", _AGENT)
BLOCKS = Counter("monmouth_runtime_blocks_total", "Blocks of a partition applied.", _AGENT)
COMMITS = Counter("monmouth_runtime_commits_total", "Transactions committed.", _AGENT)
REWINDS = Counter("monmouth_runtime_rewinds_total", "Undos followed in a partition.", _AGENT)
REORG_DEPTH = Histogram(
    "monmouth_runtime_reorg_depth_blocks", "Blocks an undo removed.", _AGENT, buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 1024)
)
REWIND_SECONDS = Histogram(
    "monmouth_runtime_rewind_seconds",
    "Time from an undo seen to the state at its ancestor.",
    _AGENT,
    buckets=(0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60),
)
DEAD_LETTERS = Counter("monmouth_runtime_dead_letters_total", "Records sent to the dead letter topic.", _AGENT)
GARBAGE = Counter(
    "monmouth_runtime_garbage_total",
    "Records under a stream agent's own keys that are not what belongs there, so that they count as lost.",
    [*_AGENT, "topic"],
)
DEFERRED = Counter("monmouth_runtime_deferred_total", "Records set aside to be tried again later.", [*_AGENT, "topic"])
INTEGRITY_STOPS = Counter("monmouth_runtime_integrity_stops_total", "Times a log was not what its markers say.", _AGENT)
REBUILDS = Counter(
    "monmouth_runtime_rebuilds_total", "Partitions built anew from durable state, by reason.", [*_AGENT, "reason"]
)
PARTITIONS = Gauge("monmouth_runtime_partitions", "Partitions that run now.", _AGENT)
HELD = Gauge(
    "monmouth_runtime_held", "1 while a partition owned here is left alone, because of a switch.", [*_AGENT, "partition"]
)
POSITION = Gauge("monmouth_runtime_position", "Own watermark: next offset to process.", [*_AGENT, "topic", "partition"])
RECEIVED = Gauge(
    "monmouth_runtime_received", "Offset after the newest record taken from the log.", [*_AGENT, "topic", "partition"]
)
SECONDS_BEHIND = Gauge(
    "monmouth_runtime_seconds_behind",
    "Age of the oldest record that waits in a partition held here; 0 if none does.",
    [*_AGENT, "partition"],
)
BLOCK_NUMBER = Gauge("monmouth_runtime_block_number", "Height of the newest block applied.", [*_AGENT, "partition"])
STANDBY_LAG = Gauge(
    "monmouth_runtime_standby_lag",
    "Records the owner had committed that a standby here lacked when it last looked.",
    [*_AGENT, "partition"],
)
STANDBY_FAILURES = Counter(
    "monmouth_runtime_standby_failures_total", "Times a standby was dropped and begun anew, by reason.", [*_AGENT, "reason"]
)
STALL_SECONDS = Histogram(
    "monmouth_runtime_stall_seconds",
    "How late the event loop, which sends the heartbeats too, came to its turn; looked at 20 times a second.",
    buckets=(0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
)


def count_from_zero(agent: str) -> None:
    """Shows alarms and rewinds of a stream agent before the first one: from nothing to 1 is no increase to a reader."""
    for alarm in (DEAD_LETTERS, INTEGRITY_STOPS, REWINDS):
        alarm.labels(agent)
