"""Milliseconds of a request on a pooled connection, and on a fresh one for each request; what lies between is what pools save.

    .venv/bin/python -m perf.pooling [--requests 300] [--fresh 40] [--only gateway node kafka cassandra milvus]

Real servers on this machine: an anvil node, a gateway of the product, a broker, Cassandra and Milvus. The clients are the
product's own, and a fresh one is what its first request costs: connect, negotiate, prepare what is prepared, and close.
Requests come one after the other. For HTTP a floor is measured too: the same bytes over one open socket, without a client; the
overhead of a request is what it takes beyond that. Elsewhere the overhead is the whole request, which is the stricter measure.
Medians, since the machine does other things too. The goal is 60 % less overhead. Ends with an error if a request fails.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import numpy as np
import orjson
from aiokafka import AIOKafkaProducer

from connectors.chain.jsonrpc import JsonRpc
from connectors.stores.cassandra import CassandraMemoryStore
from connectors.stores.milvus import MilvusVectorStore
from infra.cassandra import CassandraNode
from infra.milvus import LocalMilvus
from infra.topics import apply
from perf.marked import local_broker
from perf.measure import ROOT
from perf.node import anvil
from perf.pipeline import pipeline
from streams import topics
from streams.cluster.arguments import client_arguments
from streams.serving import calls
from streams.serving.transport import HEADERS, OverHttp
from streams.settings import CassandraSettings, KafkaSettings

GOAL = 0.6
WARM = 20
AGENT = bytes(20)
Ask = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Kind:
    """``pooled``: one request on what is open. ``fresh``: a client of its own for it. ``floor``: the bare exchange, if any."""

    name: str
    pooled: Ask
    fresh: Ask
    floor: Ask | None = None


@dataclass(slots=True)
class Row:
    """Seconds of each request, and CPU seconds of all."""

    name: str
    ask: Ask
    seconds: list[float] = field(default_factory=list)
    cpu: float = 0.0

    async def run(self, times: int) -> None:
        cpu = time.process_time()
        for _ in range(times):
            started = time.perf_counter()
            await self.ask()
            self.seconds.append(time.perf_counter() - started)
        self.cpu += time.process_time() - cpu

    @property
    def middle(self) -> float:
        return median(self.seconds)


async def compare(kind: Kind, requests: int, fresh: int) -> bool:
    """Prints the rows of one kind; whether the goal is met. All take turns, so that what else the machine does meets all."""
    pooled, alone = Row("pooled", kind.pooled), Row("fresh", kind.fresh)
    floors = [] if kind.floor is None else [Row("floor", kind.floor)]
    for row in (*floors, pooled, alone):
        await Row("warm", row.ask).run(WARM if row is not alone else 2)
    for _ in range(fresh):
        for row in (*floors, pooled):
            await row.run(max(1, requests // fresh))
        await alone.run(1)
    base = floors[0].middle if floors else 0.0
    print(f"\n{kind.name}")
    print(f"  {'':8}{'requests':>10}{'ms, median':>12}{'CPU ms each':>14}{'overhead ms':>14}")
    for row in (*floors, pooled, alone):
        count, over = len(row.seconds), "" if row in floors else f"{1e3 * (row.middle - base):.3f}"
        print(f"  {row.name:8}{count:>10,}{1e3 * row.middle:>12.3f}{1e3 * row.cpu / count:>14.3f}{over:>14}")
    less = 1 - max(0.0, pooled.middle - base) / max(1e-9, alone.middle - base)
    said = "met" if less >= GOAL else "missed"
    print(f"  overhead of a pooled request: {less:.0%} less; goal {GOAL:.0%}: {said}", flush=True)
    return less >= GOAL


async def exchange(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes) -> None:
    """One request and its answer, whose length is in its head or ends with the last chunk."""
    reader, writer = streams
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"content-length:" in head:
        await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
    else:
        await reader.readuntil(b"0\r\n\r\n")
    if b" 200 " not in head.splitlines()[0]:
        raise SystemExit(f"the server said {head.splitlines()[0].decode()}")


@asynccontextmanager
async def bare(url: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> AsyncIterator[Ask]:
    """The floor of HTTP."""
    parts = urlsplit(url)
    streams = await asyncio.open_connection(parts.hostname, parts.port)
    said = {"Host": parts.netloc, "Content-Length": str(len(body)), **headers}
    request = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in said.items()) + "\r\n"
    try:
        yield lambda: exchange(streams, request.encode() + body)
    finally:
        streams[1].close()


async def node(requests: int, fresh: int, _: Path) -> bool:
    with anvil() as url:
        rpc = JsonRpc(url)

        async def alone() -> None:
            own = JsonRpc(url)
            await own.call("eth_getBlockByNumber", "latest", False)
            await own.close()

        body = orjson.dumps({"id": 1, "jsonrpc": "2.0", "method": "eth_getBlockByNumber", "params": ["latest", False]})
        try:
            async with bare(url, "POST", "/", body, {"Content-Type": "application/json"}) as floor:
                ask = Kind("RPC node", lambda: rpc.call("eth_getBlockByNumber", "latest", False), alone, floor)
                return await compare(ask, requests, fresh)
        finally:
            await rpc.close()


async def gateway(url: str, requests: int, fresh: int) -> bool:
    way, call = OverHttp(url), calls.ready()

    async def send(through: OverHttp) -> None:
        reply = await through(call, HEADERS, 30.0)
        if reply.status >= 500 and reply.status != 503:
            raise SystemExit(f"the gateway said {reply.status}")

    async def alone() -> None:
        own = OverHttp(url)
        await send(own)
        await own.close()

    try:
        deadline = time.perf_counter() + 60
        while True:  # until it listens and is ready
            try:
                if (await way(call, HEADERS, 5.0)).status == 200:
                    break
            except Exception:
                if time.perf_counter() > deadline:
                    raise
            await asyncio.sleep(0.2)
        async with bare(url, "GET", call.target, b"", HEADERS) as floor:
            return await compare(Kind("gateway over HTTP", lambda: send(way), alone, floor), requests, fresh)
    finally:
        await way.close()


async def kafka(requests: int, fresh: int, scratch: Path) -> bool:
    with local_broker(scratch / "broker") as broker:
        settings = KafkaSettings(bootstrap=broker.bootstrap, prefix="pool.", partitions=1)
        await apply(settings)
        topic = topics.physical(settings.prefix, topics.COMMANDS)

        def made() -> AIOKafkaProducer:
            return AIOKafkaProducer(**client_arguments(settings), acks="all", enable_idempotence=True)

        async def alone() -> None:
            async with made() as own:
                await own.send_and_wait(topic, b"x" * 256, partition=0)

        async with made() as kept:
            ask = Kind("Kafka producer, one record", lambda: kept.send_and_wait(topic, b"x" * 256, partition=0), alone)
            return await compare(ask, requests, fresh)


async def cassandra(requests: int, fresh: int, scratch: Path) -> bool:
    node = CassandraNode(scratch / "cassandra", jars=ROOT / ".monmouth" / "jars", managed=True)
    await asyncio.to_thread(node.start)
    settings = CassandraSettings(contact_points=[node.address], port=node.port, keyspace="perf")
    store = CassandraMemoryStore(settings)

    async def alone() -> None:
        own = CassandraMemoryStore(settings)
        await own.get(AGENT, [bytes(32)])
        await own.close()

    try:
        return await compare(Kind("Cassandra, one memory", lambda: store.get(AGENT, [bytes(32)]), alone), requests, fresh)
    finally:
        await store.close()
        await asyncio.to_thread(node.stop)


async def milvus(requests: int, fresh: int, scratch: Path) -> bool:
    local = LocalMilvus(scratch / "milvus", programs=ROOT / ".monmouth" / "milvus-server", say=print)
    await asyncio.to_thread(local.start)
    query = np.eye(1, 384, dtype=np.float32)[0]
    store = await asyncio.to_thread(MilvusVectorStore, local.url)

    async def alone() -> None:
        own = await asyncio.to_thread(MilvusVectorStore, local.url)
        await own.search(AGENT, query, 1)
        await own.close()

    try:
        return await compare(Kind("Milvus, one search", lambda: store.search(AGENT, query, 1), alone), requests, fresh)
    finally:
        await store.close()
        await asyncio.to_thread(local.stop)


ALONE = {"node": node, "kafka": kafka, "cassandra": cassandra, "milvus": milvus}
KINDS = ["gateway", *ALONE]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--fresh", type=int, default=40)
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args()
    met = []
    for name in options.only:
        with tempfile.TemporaryDirectory() as folder:
            if name == "gateway":
                with pipeline(Path(folder), "memory", partitions=1) as line:
                    line.producer()
                    line.worker()
                    met.append(asyncio.run(gateway(line.gateway(), options.requests, options.fresh)))
            else:
                met.append(asyncio.run(ALONE[name](options.requests, options.fresh, Path(folder))))
    print(f"\ngoal met for {sum(met)} of {len(met)} kinds of connection")


if __name__ == "__main__":
    main()
