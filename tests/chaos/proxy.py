"""A TCP proxy that does to connections what networks do: cut, refuse, delay, lose one direction, forget connections.

Invariant: what is forwarded is an unbroken beginning of what was sent, in order, as TCP promises. So what is lost is not
dropped but held, as a sender's own system does that sends again and again: once the network heals it arrives, late, and even
if the sender has given up and gone meanwhile. Buffers are bounded: a sender that is held up is read no further.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from types import TracebackType
from typing import Literal, Self

HOST = "127.0.0.1"
CHUNK = 64 * 1024
CHUNKS = 64
"""Held in one direction of one connection."""

Direction = Literal["requests", "answers"]
DIRECTIONS: tuple[Direction, ...] = ("requests", "answers")


@dataclass
class Way:
    """One direction through a proxy, as it is now, for all its connections."""

    delay: float = 0.0
    jitter: float = 0.0
    flows: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.flows.set()


class Proxy:
    """Listens on ``port`` of the loopback (0: any, known after ``start``) for what listens on loopback port ``target``."""

    def __init__(self, target: int, port: int = 0, random: Random | None = None) -> None:
        self.target = target
        self.port = port
        self._random = random or Random(0)
        self._ways = {direction: Way() for direction in DIRECTIONS}
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to accept; also again after ``refuse``."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, HOST, self.port, limit=CHUNK)
            self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection."""
        await self.refuse()

    @property
    def connections(self) -> int:
        """Open now."""
        return len(self._links)

    async def cut(self) -> None:
        """Close every connection, both ends at once; new ones are accepted."""
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    async def refuse(self) -> None:
        """Close every connection and refuse new ones, until ``start``."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.cut()

    def slow(self, delay: float, jitter: float = 0.0) -> None:
        """From now on what passes arrives ``delay`` seconds later, or up to ``jitter`` more, in each direction."""
        for way in self._ways.values():
            way.delay, way.jitter = delay, jitter

    def lose(self, direction: Direction) -> None:
        """Nothing arrives in ``direction`` until ``heal``; the other one goes on."""
        self._ways[direction].flows.clear()

    def forget(self) -> None:
        """On connections there are nothing arrives any more, and nobody is told, as with a firewall that was restarted.

        New ones are well. The forgotten ones stay so, healed or not, until they are cut.
        """
        for direction, way in self._ways.items():
            way.flows.clear()
            self._ways[direction] = Way(way.delay, way.jitter)

    async def heal(self) -> None:
        """As new; what was held arrives now."""
        self.slow(0.0)
        for way in self._ways.values():
            way.flows.set()
        await self.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        assert link is not None
        self._links.add(link)
        try:
            await self._link(reader, writer)
        except asyncio.CancelledError:  # cut; the server would take the cancellation of its own task for an error
            pass
        finally:
            self._links.discard(link)
            writer.transport.abort()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(HOST, self.target, limit=CHUNK)
        except OSError:  # nobody there: the client sees its connection end
            return
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, upstream_writer, self._ways["requests"]))
                both.create_task(self._pass(upstream_reader, writer, self._ways["answers"]))
        except* OSError:  # one end broke off, so the other does
            pass
        finally:
            upstream_writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way) -> None:
        """From ``reader`` to ``writer`` until the end of the stream, which is passed on too."""
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(CHUNKS)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._take(reader, held, way))
            both.create_task(_deliver(held, writer, way))

    async def _take(self, reader: asyncio.StreamReader, held: asyncio.Queue[tuple[float, bytes]], way: Way) -> None:
        clock, last = asyncio.get_running_loop().time, 0.0
        while True:
            chunk = await reader.read(CHUNK)
            last = max(last, clock() + way.delay + way.jitter * self._random.random())
            await held.put((last, chunk))
            if not chunk:
                return


async def _deliver(held: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter, way: Way) -> None:
    clock = asyncio.get_running_loop().time
    while True:
        due, chunk = await held.get()
        if (early := due - clock()) > 0:
            await asyncio.sleep(early)
        await way.flows.wait()
        if not chunk:
            if writer.can_write_eof():
                writer.write_eof()
            return
        writer.write(chunk)
        await writer.drain()


class Network:
    """Proxies by the name of what lies behind them. Named or, with no name, all of them are struck."""

    def __init__(self, proxies: Mapping[str, Proxy] | None = None) -> None:
        self.proxies = dict(proxies or {})

    def of(self, *names: str) -> list[Proxy]:
        """Those called ``names``, or all. Raises KeyError for a name that is not there."""
        return [self.proxies[name] for name in names] if names else list(self.proxies.values())

    async def start(self) -> None:
        await _all(proxy.start() for proxy in self.of())

    async def stop(self) -> None:
        await _all(proxy.stop() for proxy in self.of())

    async def cut(self, *names: str) -> None:
        """Every connection there is, once."""
        await _all(proxy.cut() for proxy in self.of(*names))

    async def refuse(self, *names: str) -> None:
        """Cut, and no new ones, until ``heal``."""
        await _all(proxy.refuse() for proxy in self.of(*names))

    def slow(self, delay: float, jitter: float, *names: str) -> None:
        """Late in each direction, until ``heal``."""
        for proxy in self.of(*names):
            proxy.slow(delay, jitter)

    def lose(self, direction: Direction, *names: str) -> None:
        """Nothing arrives in one direction, until ``heal``."""
        for proxy in self.of(*names):
            proxy.lose(direction)

    def forget(self, *names: str) -> None:
        """Nothing arrives on the connections there are."""
        for proxy in self.of(*names):
            proxy.forget()

    async def heal(self, *names: str) -> None:
        await _all(proxy.heal() for proxy in self.of(*names))


async def _all(work: Iterable[Coroutine[None, None, None]]) -> None:
    await asyncio.gather(*work)
