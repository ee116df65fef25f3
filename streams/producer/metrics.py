"""What the block producer measures."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

from streams.metrics import REGISTRY

BLOCKS = Counter("monmouth_producer_blocks_total", "Blocks written to the log.", registry=REGISTRY)
TRANSACTIONS = Counter("monmouth_producer_transactions_total", "Chain transactions in those blocks.", registry=REGISTRY)
RECORDS = Counter(
    "monmouth_producer_records_total", "Records written to chain.transactions, without markers.", registry=REGISTRY
)
REORGS = Counter(
    "monmouth_producer_reorgs_total", "Reorgs written, by severity (depth and conflicts).", ["severity"], registry=REGISTRY
)
REORG_DEPTH = Gauge("monmouth_producer_reorg_depth", "Blocks removed by the last reorg.", registry=REGISTRY)
REORG_CONFLICTS = Gauge(
    "monmouth_producer_reorg_conflicts", "Transactions that the last reorg removed and the new branch lacks.", registry=REGISTRY
)
CONFLICTS = Counter(
    "monmouth_producer_conflicts_total", "Transactions removed by reorgs that the new branch lacked.", registry=REGISTRY
)
UNKNOWN = Counter(
    "monmouth_producer_conflicts_unknown_blocks_total",
    "Removed blocks of which this process did not know the transactions.",
    registry=REGISTRY,
)
BELOW_FINAL = Counter(
    "monmouth_producer_reorgs_below_final_total", "Alarm: reorgs that removed blocks called final before.", registry=REGISTRY
)
REFUSED = Counter("monmouth_producer_blocks_refused_total", "Alarm: blocks with a record too large.", registry=REGISTRY)
SOURCE_ERRORS = Counter(
    "monmouth_producer_source_errors_total", "Answers of the source that were of no use.", registry=REGISTRY
)
GARBAGE = Counter(
    "monmouth_producer_garbage_total", "Records on chain.blocks that are no notifications, passed over.", registry=REGISTRY
)
LAGGING = Gauge("monmouth_producer_source_lagging_blocks", "How far the source is behind the log; 0 if not.", registry=REGISTRY)
TIP = Gauge("monmouth_producer_tip", "Height of the newest block in the log.", registry=REGISTRY)
FINAL = Gauge("monmouth_producer_final", "Height of the newest final block in the log.", registry=REGISTRY)
REBUILDS = Counter(
    "monmouth_producer_log_rebuilds_total", "Times the writer was rebuilt after an uncertain write.", registry=REGISTRY
)
