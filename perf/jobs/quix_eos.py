"""Quix Streams, exactly once: JSON in, one JSON out. argv: bootstrap, input, output, rows. Runs in its own environment."""

import json
import sys
import time

from quixstreams import Application

bootstrap, source, sink, rows = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
app = Application(
    broker_address=bootstrap,
    consumer_group=f"quix-{source}",
    processing_guarantee="exactly-once",
    auto_offset_reset="earliest",
    loglevel="WARNING",
    consumer_extra_config={"fetch.wait.max.ms": 50},
)
frame = app.dataframe(app.topic(source, value_deserializer="json"))
frame = frame.apply(lambda row: {"id": row["id"], "agent": row["agent"], "amount": row["amount"] + 1, "text": row["text"]})
frame = frame.to_topic(app.topic(sink, value_serializer="json"))
cpu, wall = time.process_time(), time.perf_counter()
app.run(count=rows, timeout=60)
figure = {"name": "quixstreams", "rows": rows, "cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
print(json.dumps(figure), flush=True)
