"""Erases an agent: has everything removed, waits until it is, destroys its keys, and signs for it.

Order: a note that it began (with the root as it was), the ERASE command, the removal by the stream agents (memories and access
by the memory agent, vectors by the embedding agent, the root by the lattice agent), the keys, caches, the receipt. Each step
may be done twice, and who finds a note goes on from there: a crash anywhere loses nothing but time. What nobody asks about any
more goes on by itself, since an agent that signs its ERASE has no token to ask with once its key is gone.
Invariant: a receipt is written only after the log says that the ERASE was carried out, no store holds a row or vector of the
agent, the published root is the empty one (or there is none, and the receipt says that absence is not proven), and the keys are
destroyed. What was sealed is unreadable from then on, wherever
copies of it lie: in segments of topics, free pages of stores, on other machines. Vectors in Milvus are not sealed: they are
deleted once more after the keys are gone, and the receipt says what becomes of the files.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3

from schemas.codec import codec
from schemas.defaults import plain_command
from schemas.records import MemoryCommand
from streams.core.presence import everything
from streams.errors import MonmouthError, StoreError
from streams.ports.stores import Catching, Clearable, MemoryStore, VectorStore
from streams.private_file import make_once
from streams.serving.addresses import parse_agent, to_hex
from streams.serving.commands import CommandLog
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
    _busy: dict[bytes, asyncio.Lock] = field(default_factory=dict)

    def receipt(self, agent: bytes) -> dict[str, Any] | None:
        """The receipt, if the agent was erased."""
        path = self._path(agent, "receipt.json")
        return json.loads(path.read_text()) if path.exists() else None

    def begun(self, agent: bytes) -> bool:
        """Whether somebody asked for it."""
        return self._path(agent, "begun.json").exists()

    async def erase(self, agent: bytes, patience: float, said: MemoryCommand | None = None) -> dict[str, Any] | None:
        """The receipt; None if the stream agents are not done after ``patience`` seconds: ask again. ``said``: the ERASE, where
        the agent has signed it; without it the gateway says so.

        Raises UnavailableError, StoreError, ForbiddenError.
        """
        async with self._busy.setdefault(agent, asyncio.Lock()):
            found = self.receipt(agent)
            if found is None:
                found = await self._erase(agent, time.monotonic() + patience, said)
        if found is not None:
            self._busy.pop(agent, None)
        return found

    async def run(self) -> None:
        """Goes on with what was begun until cancelled."""
        while True:
            await self.resume()
            await asyncio.sleep(RESUME_EVERY)

    async def resume(self) -> None:
        """Goes on with what was begun and is not done."""
        for note in sorted(self.folder.glob("*.begun.json")):
            agent = parse_agent(note.name.partition(".")[0])
            try:
                await self.erase(agent, RESUME_SECONDS)
            except MonmouthError as error:
                log.warning("the erasure of %s waits: %s", to_hex(agent), error)

    async def _erase(self, agent: bytes, deadline: float, said: MemoryCommand | None) -> dict[str, Any] | None:
        note = await self._note(agent, said)
        await self._say(agent, note)
        while (done := await self._removed(agent)) is None:
            if time.monotonic() + PAUSE > deadline:
                return None
            await asyncio.sleep(PAUSE)
        keys = await asyncio.to_thread(self.keys.destroy, agent)
        # Whoever was about to write a vector of it has no name for it any more; what it wrote until then goes here.
        vectors = await self.vectors.clear(note["vectors"]) if isinstance(self.vectors, Clearable) else SEALED
        for purge in self.purges:
            purge(agent)
        root = await self.roots.fresh(agent)
        receipt = {
            "format": FORMAT,
            "installation": self.installation,
            "agent": to_hex(agent),
            "command_id": str(uuid.UUID(bytes=done.record["command"])),
            "requested_at": note["requested_at"],
            "finished_at": int(time.time()),
            "memories": done.record["memories"],
            "vectors": vectors,
            "keys_destroyed": [key.hex() for key in keys],
            "root_before": note["root_before"],
            "root_after": _said(root),
            "absence": absence_of(to_hex(agent)) if _said(root) == EMPTY_ROOT else None,
            "place": {
                "topic": ERASURES,
                "partition": done.partition,
                "offset": done.offset,
                "block": None if root is None or root.block is None else [root.block.number, to_hex(root.block.hash)],
            },
        }
        self._write(agent, "receipt.json", signed(receipt, self.signer))
        self._path(agent, "begun.json").unlink(missing_ok=True)
        return self.receipt(agent)

    async def _note(self, agent: bytes, said: MemoryCommand | None) -> dict[str, Any]:
        note = self._noted(agent)
        if said is None and self.strict and not (note and note["command"]):
            raise ForbiddenError("an agent is erased here by its own word alone", "Sign an ERASE: POST /v1/commands.")
        if note is None:
            root = await self.roots.fresh(agent)
            name = self.vectors.name_of(agent) if isinstance(self.vectors, Clearable) else ""
            note = {"requested_at": int(time.time()), "root_before": _said(root), "vectors": name, "command": None}
        elif said is None or note["command"]:
            return note
        raw = None if said is None else codec().encode_open("MemoryCommand", said).hex()
        self._path(agent, "begun.json").unlink(missing_ok=True)  # what there was said nothing of the agent's own word
        self._write(agent, "begun.json", {**note, "command": raw})
        return self._noted(agent) or note

    def _noted(self, agent: bytes) -> dict[str, Any] | None:
        if not self.begun(agent):
            return None
        return {"vectors": "", "command": None, **json.loads(self._path(agent, "begun.json").read_text())}

    async def _say(self, agent: bytes, note: dict[str, Any]) -> None:
        """Has the log hold the ERASE, as often as it takes."""
        if note["command"] is None:
            command_id = blake3(b"monmouth erase" + agent).digest(length=16)
            await self.commands.send(plain_command(command_id, agent, "ERASE", note["requested_at"]))
            return
        raw = bytes.fromhex(note["command"])
        await self.commands.send_raw(agent, codec().decode(raw)[1]["id"], raw)

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

    def _write(self, agent: bytes, name: str, document: dict[str, Any]) -> None:
        try:
            make_once(self._path(agent, name), lambda: json.dumps(document, indent=2) + "\n")
        except OSError as error:
            raise StoreError(f"{self.folder} cannot be written: {error.strerror or error}") from None


def _said(root: Root | None) -> dict[str, Any] | None:
    if root is None:
        return None
    return {"count": root.count, "checksum": to_hex(root.checksum), "merkle_root": to_hex(root.merkle_root)}
