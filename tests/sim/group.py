"""Consumer groups of the simulated broker, with eager rebalances.

A member that is dead or paused leaves the group when its session times out; a paused one that wakes up still believes in its
assignment until its next poll, which is how zombies come about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from streams.ports.log import RebalanceListener, TopicPartition
from tests.sim.broker import Broker
from tests.sim.process import Process, outside

if TYPE_CHECKING:
    from tests.sim.client import SimConsumer


@dataclass(eq=False)
class Member:
    """``free``: no rebalance of it is under way. ``out``: it left, or its session ended."""

    consumer: SimConsumer
    listener: RebalanceListener
    process: Process
    free: asyncio.Event = field(default_factory=asyncio.Event)
    out: asyncio.Event = field(default_factory=asyncio.Event)


class Group:
    """One group. Rebalances run one after another."""

    def __init__(self, name: str, broker: Broker) -> None:
        self.name = name
        self._broker = broker
        self.members: list[Member] = []
        self._due = asyncio.Event()
        outside(self._run())

    def join(self, member: Member) -> None:
        self.members.append(member)
        member.process.on_death.append(lambda: self._expire_later(member))
        self.rebalance()

    def leave(self, member: Member) -> None:
        """At once."""
        if member in self.members:
            self.members.remove(member)
            member.out.set()
            member.free.set()
            self.rebalance()

    def rebalance(self) -> None:
        self._due.set()

    def _expire_later(self, member: Member) -> None:
        if member in self.members:
            timeout = self._broker.parameters.session_timeout
            asyncio.get_running_loop().call_later(timeout, self.leave, member)

    def check_sessions(self) -> None:
        """Puts out members that were paused or cut off for too long. Called now and then."""
        now = asyncio.get_running_loop().time()
        for member in list(self.members):
            silent = [since for since in (member.process.paused_since, member.process.cut_since) if since is not None]
            if silent and now - min(silent) > self._broker.parameters.session_timeout:
                self._broker.note("broker", f"{member.process.name} is out of {self.name}")
                self.leave(member)

    async def _run(self) -> None:
        while True:
            await self._due.wait()
            await asyncio.sleep(self._broker.random.random() * 0.1)
            self._due.clear()
            self._broker.note("broker", f"rebalance of {self.name}, {len(self.members)} members")
            for member in self.members:
                member.free.clear()
            await asyncio.gather(*(self._revoke(member) for member in list(self.members)))
            await asyncio.gather(*(self._call(member, member.consumer.assign(member, held)) for member, held in self._shares()))

    async def _revoke(self, member: Member) -> None:
        await self._call(member, member.consumer.revoke(member))

    async def _call(self, member: Member, coro: Coroutine[Any, Any, None]) -> None:
        """Runs something in the member's process. Returns when that is done, or the member is out."""
        task = member.process.spawn(coro)
        out = asyncio.ensure_future(member.out.wait())
        await asyncio.wait([task, out], return_when=asyncio.FIRST_COMPLETED)
        out.cancel()
        if not member.out.is_set() and member.process.dead:
            await member.out.wait()

    def _shares(self) -> Iterator[tuple[Member, list[TopicPartition]]]:
        count, members = self._broker.parameters.partitions, list(self.members)
        self._broker.random.shuffle(members)
        share = -(-count // max(1, len(members)))
        for index, member in enumerate(members):
            numbers = range(index * share, min(count, (index + 1) * share))
            held = [TopicPartition(topic, number) for topic in member.consumer.topics for number in numbers]
            yield member, held
