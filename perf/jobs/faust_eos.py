"""faust-streaming, exactly_once: JSON in, one JSON out. argv: bootstrap, input, output, rows. Runs in its own environment."""

import asyncio
import json
import os
import sys
import tempfile
import time

import faust

bootstrap, source, sink, rows = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
sys.argv = [sys.argv[0]]
app = faust.App(
    f"faust-{source}",
    broker=f"kafka://{bootstrap}",
    processing_guarantee="exactly_once",
    datadir=tempfile.mkdtemp(),
    web_enabled=False,
    broker_session_timeout=10,
    topic_disable_leader=False,
)
events = app.topic(source, value_serializer="json")
out = app.topic(sink, value_serializer="json")
seen = 0
started = (0.0, 0.0)


@app.agent(events)
async def job(stream):
    global seen, started
    async for row in stream:
        if seen == 0:
            started = (time.process_time(), time.perf_counter())
        await out.send(value={"id": row["id"], "agent": row["agent"], "amount": row["amount"] + 1, "text": row["text"]})
        seen += 1
        if seen == rows:
            await asyncio.sleep(1)
            cpu, wall = time.process_time() - started[0], time.perf_counter() - started[1]
            print(
                json.dumps({"name": "faust-streaming", "rows": rows, "cpu": cpu, "wall": wall}), file=sys.__stdout__, flush=True
            )
            os._exit(0)


if __name__ == "__main__":
    worker = faust.Worker(app, loglevel="ERROR", redirect_stdouts=False)
    worker.execute_from_commandline()
