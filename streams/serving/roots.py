"""The newest lattice root of every agent, and the logs of final states, from the compacted topic memory.roots.

Invariant: a root is the last record of its key in the log as far as it has been read; ``fresh`` reads to the end first.
Memory: the 2 KiB lattice state is not kept, only its checksum, packed as ``packed_roots`` says (`perf.million` measures it);
older roots within the bounds of ``root_history``, and in a file (``kept_roots``), if one is named.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from pathlib import Path
from typing import Any, Protocol

from schemas.codec import SchemaError, codec
from streams.core.block import optional_ref
from streams.outage import Outage
from streams.serving import kept_roots, metrics
from streams.serving.final_logs import FinalLogs
from streams.serving.kept_roots import Places, digest_of
from streams.serving.packed_roots import AGENT, PackedRoots
from streams.serving.root import Root
from streams.serving.root_history import Bounds, RootHistory, Seen
from streams.serving.tail import TopicTail, each
from streams.settings import KafkaSettings
from streams.topics import ROOTS

RECENT = 20
SAVE_SECONDS = 5.0
_log = logging.getLogger(__name__)
__all__ = ["Root", "RootTable", "RootTail"]


class RootTable(Protocol):
    """Roots by agent."""

    async def fresh(self, agent: bytes) -> Root | None:
        """The root as of everything committed before the call; None if the agent has none."""

    async def history(self, agent: bytes) -> list[Seen[Root]]:
        """The roots it had, oldest first, as far as they are known; the last is the one that ``fresh`` gives."""


class RootTail:
    """A RootTable, and the LogTable beside it, on Kafka."""

    def __init__(
        self,
        settings: KafkaSettings,
        timeout: float,
        bounds: Bounds = Bounds(),  # noqa: B008  (immutable)
        file: Path | None = None,
    ) -> None:
        """``timeout``: seconds that ``fresh`` may wait. ``file``: keeps older roots for the next process."""
        self._fold = each(settings, ROOTS, self._read)
        self.tail = TopicTail(settings, ROOTS, self._fold)
        self._timeout = timeout
        self._roots = PackedRoots()
        self._logs = FinalLogs()
        self._bounds = bounds
        self._history: RootHistory[Root] = RootHistory(bounds)
        self._file = file
        self._places = Places()
        self._compared = False
        self._unsaved = False
        self._saver: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()
        self._outage = Outage(_log, "older roots are not kept")
        self._active = 0
        self._recent: OrderedDict[bytes, Root] = OrderedDict()
        metrics.ROOTS_HELD.set_function(lambda: len(self._roots))
        metrics.AGENTS_ACTIVE.set_function(lambda: self._active)

    @property
    def active(self) -> int:
        """Agents with a live memory."""
        return self._active

    @property
    def known(self) -> int:
        """Agents that have a root."""
        return len(self._roots)

    @property
    def recent(self) -> list[Root]:
        """Those whose root changed last, newest first; at most ``RECENT``."""
        return list(reversed(self._recent.values()))

    def start(self) -> None:
        """Begins to follow the topic, with what the file keeps."""
        self.load()
        self.tail.start()
        if self._file is not None:
            self._saver = asyncio.create_task(self._save_now_and_then(self._file), name="roots")

    async def stop(self) -> None:
        """Stops following."""
        await self.tail.stop()
        self._stopping.set()
        if self._saver is not None:
            await self._saver  # which saves once more

    def load(self) -> None:
        """Takes what the file keeps for the history so far."""
        kept = None if self._file is None else kept_roots.read(self._file)
        if kept is None:
            return
        self._places, agents = kept
        for agent, roots in agents:
            for seen in roots:
                self._history.add(agent, seen.root, seen.live, seen.height)

    async def save(self, file: Path) -> None:
        """Replaces the file, if there is anything new. A disk that is full or away is told, and tried again."""
        if not self._unsaved:
            return
        self._unsaved = False
        places, agents = self._places.copy(), list(self._history.agents())  # as they are now: packing takes long
        try:
            await asyncio.to_thread(lambda: kept_roots.write(file, kept_roots.packed(places, agents)))
        except OSError as error:
            self._unsaved = True
            self._outage.failed(f"{file}: {error.strerror or error}")
        else:
            self._outage.over()

    async def _save_now_and_then(self, file: Path) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), SAVE_SECONDS)
            await self.save(file)

    async def fresh(self, agent: bytes) -> Root | None:
        await self.tail.barrier(self._timeout)
        return self._roots.get(agent)

    async def history(self, agent: bytes) -> list[Seen[Root]]:
        root = await self.fresh(agent)
        self._compare()
        seen = self._history.of(agent)
        if not seen and root is not None:  # others changed since, so that all of it left the history
            return [Seen(root, live=False)]
        return seen

    async def fresh_logs(self) -> FinalLogs:
        await self.tail.barrier(self._timeout)
        return self._logs

    def _read(self, record: Any) -> None:
        self._take(record.partition, record.offset, record.key, record.value)

    def _take(self, partition: int, offset: int, key: bytes | None, value: bytes | None) -> None:
        if key is None:
            raise SchemaError("a root without a key")
        if value is not None and codec().name_of(value) == "LatticeLog":
            self._logs.take(partition, codec().decode(value)[1])
            return
        root = None if value is None else _decoded(key, value)
        self._remember(partition, offset, key, value, root)
        self._recent.pop(key, None)
        if root is not None:
            self._recent[key] = root
            if len(self._recent) > RECENT:
                self._recent.popitem(last=False)
        before = self._roots.pop(key) if root is None else self._roots.set(root)
        self._active += (root is not None and root.count > 0) - (before is not None and before.count > 0)

    def _remember(self, partition: int, offset: int, key: bytes, value: bytes | None, root: Root | None) -> None:
        self._compare()
        digest = digest_of(key, value)
        if self._places.contradicted(partition, offset, digest):
            self._begin_anew()
        if self._places.known(partition, offset):
            return
        height = None if root is None or root.block is None else root.block.number
        seen_at_once = offset >= self.tail.met.get(partition, offset + 1)
        self._history.add(key, root, seen_at_once, height)
        self._places.note(partition, offset, digest)
        self._unsaved = True

    def _compare(self) -> None:
        """Once, before anything is added to what the file kept: whether the topic reaches as far as that was read."""
        if self._compared or not self.tail.met:
            return
        self._compared = True
        if self._places.beyond(self.tail.met):
            self._begin_anew()

    def _begin_anew(self) -> None:
        _log.warning("%s is not the topic that older roots were kept of; they begin anew", self.tail.topic)
        self._places, self._history, self._unsaved = Places(), RootHistory(self._bounds), True


def _decoded(key: bytes, value: bytes) -> Root:
    name, record = codec().decode(value)
    if name != "LatticeRoot" or record["agent"] != key or len(key) != AGENT:
        raise SchemaError(f"a {name} that is not this key's root")
    return Root(key, record["count"], record["checksum"], record["merkle_root"], optional_ref(record["block"]))
