"""Erases an agent: has everything removed, waits until it is, destroys its keys, and signs for it.

Order: a note that it began (with the root as it was), the ERASE command, the removal by the stream agents (memories and access
by the memory agent, vectors by the embedding agent, the root by the lattice agent), the keys, caches, the receipt. Each step
may be done twice, and who finds a note goes on from there: a crash anywhere loses nothing but time. What nobody asks about any
more goes on by itself, since an agent that signs its ERASE has no token to ask with once its key is gone. The log may refuse an
ERASE that was taken here, as when the agent's key changed on its way: who asks anew puts another word in the note.
Invariants: no note keeps another erasure from going on. The log gets the ERASE again only while it does not say that it was
carried out, at growing intervals, so that one which it refuses leaves few dead letters. A receipt is written only after the log
says that the ERASE was carried out, no store holds a row or vector of the agent, the published root is the empty one (or there
is none, and the receipt says that absence is not proven), and the keys are destroyed. What was sealed is unreadable from then
on, wherever copies of it lie: in segments of topics, free pages of stores, on other machines. Vectors in Milvus are not sealed:
they are deleted once more after the keys are gone, and the receipt says what becomes of the files.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from blake3 import blake3

from schemas.codec import codec
from schemas.defaults import plain_command
from schemas.records import MemoryCommand
from streams.core.presence import everything
from streams.errors import MonmouthError, StoreError
from streams.outage import Outage
from streams.ports.stores import Catching, Clearable, MemoryStore, VectorStore
from streams.private_file import make_once
from streams.serving import erasure_notes
from streams.serving.addresses import parse_agent, to_hex
from streams.serving.commands import CommandLog
from streams.serving.erasure_notes import Note
from streams.serving.erasures import Carried, ErasureTable
from streams.serving.faults import ForbiddenError
from streams.serving.roots import Root, RootTable
from streams.signing import Signer
from streams.topics import ERASURES
from streams.vault.keys import KeyStore
from streams.vault.receipt import EMPTY_ROOT, FORMAT, absence_of, signed

log = logging.getLogger(__name__)

SEALED = "deleted; they were sealed"
PAUSE = 0.1
RESUME_SECONDS = 1.0
"""How long what was begun is waited for at a time; who asks meanwhile waits for that."""
RESUME_EVERY = 5.0
REPEAT_SECONDS = 60.0
"""How long the log has it to itself before the ERASE is sent again; twice as long each time after, while nobody asks."""
LONGEST_REPEAT = 3_600.0
NOTE, RECEIPT = "begun.json", "receipt.json"


class _Sent(NamedTuple):
    """When an ERASE went to the log, and how long it has from then."""

    at: float
    pause: float


@dataclass(frozen=True, slots=True)
class Eraser:
    """``folder``: where notes and receipts are kept, the latter for good. ``purges``: caches, to be told of an agent.
    ``strict``: only the agent itself can say that it is to be erased.
    """

    commands: CommandLog
    erasures: ErasureTable
    roots: RootTable
    memories: MemoryStore
    vectors: VectorStore
    dimension: int
    keys: KeyStore
    signer: Signer
    folder: Path
    installation: str
    purges: Sequence[Callable[[bytes], object]] = ()
    strict: bool = False
    clock: Callable[[], float] = time.monotonic
    _busy: dict[bytes, asyncio.Lock] = field(default_factory=dict)
    _sent: dict[bytes, _Sent] = field(default_factory=dict)
    _outages: dict[str, Outage] = field(default_factory=dict)

    def receipt(self, agent: bytes) -> dict[str, Any] | None:
        """The receipt, if the agent was erased."""
        path = self._path(agent, RECEIPT)
        return json.loads(path.read_text()) if path.exists() else None

    def begun(self, agent: bytes) -> bool:
        """Whether somebody asked for it."""
        return self._path(agent, NOTE).exists()

    async def erase(self, agent: bytes, patience: float, said: MemoryCommand | None = None) -> dict[str, Any] | None:
        """The receipt; None if the stream agents are not done after ``patience`` seconds: ask again. ``said``: the ERASE, where
        the agent has signed it; without it the gateway says so.

        Raises UnavailableError, StoreError, ForbiddenError.
        """
        async with self._busy.setdefault(agent, asyncio.Lock()):
            deadline = time.monotonic() + patience
            found = self.receipt(agent)
            if found is None:
                note = await self._asked(agent, said)
                await self._say(agent, note, REPEAT_SECONDS)
                found = await self._finished(agent, note, deadline)
        if found is not None:
            self._forget(agent)
        return found

    async def run(self) -> None:
        """Goes on with what was begun until cancelled."""
        while True:
            await self.resume()
            await asyncio.sleep(RESUME_EVERY)

    async def resume(self) -> None:
        """Goes on with what was begun and is not done. What keeps one from it is told, and others go on."""
        try:
            names = sorted(path.name for path in self.folder.glob(f"*.{NOTE}"))
        except OSError as error:
            log.warning("%s cannot be read: %s", self.folder, error.strerror or error)
            return
        for gone in self._outages.keys() - set(names):
            del self._outages[gone]
        for name in names:
            outage = self._outages.setdefault(name, Outage(log, f"the erasure in {name} waits"))
            try:
                await self._go_on(parse_agent(name.partition(".")[0]))
            except MonmouthError as error:
                outage.failed(error.line)
            except (OSError, ValueError, KeyError) as error:
                outage.failed(f"{type(error).__name__}: {error}")
            else:
                outage.over()

    async def _go_on(self, agent: bytes) -> None:
        async with self._busy.setdefault(agent, asyncio.Lock()):
            deadline = time.monotonic() + RESUME_SECONDS
            found, note = self.receipt(agent), self._noted(agent)
            if found is None and note is not None:
                await self._say(agent, note, LONGEST_REPEAT)
                found = await self._finished(agent, note, deadline)
        if found is not None:
            self._path(agent, NOTE).unlink(missing_ok=True)
            self._forget(agent)

    def _forget(self, agent: bytes) -> None:
        self._busy.pop(agent, None)
        self._sent.pop(agent, None)

    async def _finished(self, agent: bytes, note: Note, deadline: float) -> dict[str, Any] | None:
        while (done := await self._removed(agent)) is None:
            if time.monotonic() + PAUSE > deadline:
                return None
            await asyncio.sleep(PAUSE)
        keys = await asyncio.to_thread(self.keys.destroy, agent)
        # Whoever was about to write a vector of it has no name for it any more; what it wrote until then goes here.
        vectors = await self.vectors.clear(note.vectors) if isinstance(self.vectors, Clearable) else SEALED
        for purge in self.purges:
            purge(agent)
        root = await self.roots.fresh(agent)
        receipt = {
            "format": FORMAT,
            "installation": self.installation,
            "agent": to_hex(agent),
            "command_id": str(uuid.UUID(bytes=done.record["command"])),
            "requested_at": note.requested_at,
            "finished_at": int(time.time()),
            "memories": done.record["memories"],
            "vectors": vectors,
            "keys_destroyed": [key.hex() for key in keys],
            "root_before": note.root_before,
            "root_after": _said(root),
            "absence": absence_of(to_hex(agent)) if _said(root) == EMPTY_ROOT else None,
            "place": {
                "topic": ERASURES,
                "partition": done.partition,
                "offset": done.offset,
                "block": None if root is None or root.block is None else [root.block.number, to_hex(root.block.hash)],
            },
        }
        text = json.dumps(signed(receipt, self.signer), indent=2) + "\n"
        with self._writing():
            make_once(self._path(agent, RECEIPT), lambda: text)
        self._path(agent, NOTE).unlink(missing_ok=True)
        return self.receipt(agent)

    async def _asked(self, agent: bytes, said: MemoryCommand | None) -> Note:
        """The note, with the word of who asks now: it was judged by the keys that stand now, one before it by older ones."""
        note = self._noted(agent)
        if said is None and self.strict:
            if note is None or note.command is None:
                raise ForbiddenError("an agent is erased here by its own word alone", "Sign an ERASE: POST /v1/commands.")
            return note
        word = None if said is None else codec().encode_open("MemoryCommand", said)
        if note is None:
            note = await self._begun(agent, word)
        if note.command != word:
            note = replace(note, command=word)
            with self._writing():
                erasure_notes.replace(self._path(agent, NOTE), note)
            self._sent.pop(agent, None)
        return note

    async def _begun(self, agent: bytes, word: bytes | None) -> Note:
        root = await self.roots.fresh(agent)
        name = self.vectors.name_of(agent) if isinstance(self.vectors, Clearable) else ""
        note = Note(int(time.time()), _said(root), name, word)
        with self._writing():
            erasure_notes.begin(self._path(agent, NOTE), note)
        return self._noted(agent) or note

    def _noted(self, agent: bytes) -> Note | None:
        return erasure_notes.read(self._path(agent, NOTE))

    async def _say(self, agent: bytes, note: Note, longest: float) -> None:
        """Has the log hold the ERASE; again after a pause, ``longest`` at most, until it says that it was carried out."""
        before = self._sent.get(agent)
        if before is not None and self.clock() < before.at + min(before.pause, longest):
            return
        if await self.erasures.fresh(agent) is not None:
            return
        if note.command is None:
            command_id = blake3(b"monmouth erase" + agent).digest(length=16)
            await self.commands.send(plain_command(command_id, agent, "ERASE", note.requested_at))
        else:
            await self.commands.send_raw(agent, codec().decode(note.command)[1]["id"], note.command)
        pause = REPEAT_SECONDS if before is None else min(2 * before.pause, LONGEST_REPEAT)
        self._sent[agent] = _Sent(self.clock(), pause)

    async def _removed(self, agent: bytes) -> Carried | None:
        """What the memory agent says, once nothing is left anywhere."""
        done = await self.erasures.fresh(agent)
        if done is None or await self.memories.live_ids(agent, everything):
            return None
        root = await self.roots.fresh(agent)
        if isinstance(self.vectors, Catching):
            self.vectors.catch_up()
        probe = np.zeros(self.dimension, np.float32)
        probe[0] = 1.0
        if (root is not None and root.count) or await self.vectors.search(agent, probe, 1):
            return None
        return done

    def _path(self, agent: bytes, name: str) -> Path:
        return self.folder / f"{to_hex(agent)}.{name}"

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be written: {error.strerror or error}") from None


def _said(root: Root | None) -> dict[str, Any] | None:
    if root is None:
        return None
    return {"count": root.count, "checksum": to_hex(root.checksum), "merkle_root": to_hex(root.merkle_root)}
