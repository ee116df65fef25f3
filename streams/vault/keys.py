"""Agents' keys: made at random when an agent is first written of, held wrapped in one file, destroyed for good on demand.

An agent has a leaf secret, which stays, and versions of a data key, of which the newest seals and all open: records of the log
are not rewritten, so a version stays for as long as the agent does. All of it goes in one blow.
Invariants: a key is on disk before anything is sealed with it; an agent that was erased gets no key again; keys destroyed by
one process are dropped by all others at their next use that is ``GLANCE`` seconds later, and never used by that one.
Memory: a packed row of 25 bytes for each agent that has a key (`perf.million` measures it), ``CACHED`` agents' keys opened.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from streams.vault.box import KEY_BYTES, Box, key_id
from streams.vault.errors import ErasedError, VaultError
from streams.vault.key_file import BODY, DESTROYED, HEAD, LIVE, KeyFile, Slot
from streams.vault.master import MasterKey
from streams.vault.offsets import Offsets

AGENT = 20
GLANCE = 0.02
CACHED = 8_192
_WRAPPED = 2 * KEY_BYTES + 28


@dataclass(frozen=True, slots=True)
class AgentKeys:
    """One agent's keys, opened. ``newest`` seals."""

    agent: bytes
    newest: Box
    boxes: Mapping[int, Box]
    leaf_secret: bytes = field(repr=False)


class LeafSecrets(Protocol):
    """What the leaves of agents' memories are keyed with."""

    def leaf_secret(self, agent: bytes) -> bytes:
        """32 bytes, for an agent of 20. Raises ErasedError."""


class KeyStore(LeafSecrets, Protocol):
    """Keys by agent (20 bytes)."""

    def get(self, agent: bytes) -> AgentKeys | None:
        """The agent's keys; None if it never had any. Raises ErasedError, VaultError."""

    def get_or_create(self, agent: bytes) -> AgentKeys:
        """The agent's keys, made if it never had any. Raises ErasedError, VaultError."""

    def unknown(self, agents: Iterable[bytes]) -> set[bytes]:
        """Those agents of which no key is known here."""

    def prepare(self, agents: Iterable[bytes]) -> None:
        """Makes the keys that are missing, all at once; agents that were erased are passed over."""

    def destroy(self, agent: bytes) -> list[bytes]:
        """Destroys the agent's keys for good, also if it has none yet; their ids, also if it was done before."""

    def rotate(self, agent: bytes) -> AgentKeys:
        """A new version, which seals from now on. Raises ErasedError."""

    def erased(self, agent: bytes) -> bool:
        """Whether the agent's keys were destroyed."""

    def refresh(self) -> None:
        """Takes in at once what other processes changed; without a call that happens within ``GLANCE`` seconds."""


class FileKeyStore:
    """A KeyStore on a KeyFile. Threads and processes may share it. ``master``: asked again when the file was rewrapped."""

    def __init__(self, path: Path, master: Callable[[], MasterKey]) -> None:
        self._masters = master
        self._master = master()
        self._lock = threading.RLock()
        self._clock = time.monotonic
        try:
            self._file = KeyFile(path, self._master.mark(b"file"))
        except OSError as error:
            raise VaultError(f"the keys in {path} are not usable: {error.strerror or error}") from None
        self._forget()
        with self._changing():
            pass

    def get(self, agent: bytes) -> AgentKeys | None:
        with self._lock:
            self._glance()
            keys = self._cache.get(agent)
            if keys is not None:
                self._cache.move_to_end(agent)
                return keys
            if agent not in self._live:
                self.refresh()
            return self._load(agent)

    def get_or_create(self, agent: bytes) -> AgentKeys:
        keys = self.get(agent)
        if keys is None:
            self.prepare([agent])
            keys = self.get(agent)
            assert keys is not None
        return keys

    def leaf_secret(self, agent: bytes) -> bytes:
        return self.get_or_create(agent).leaf_secret

    def prepare(self, agents: Iterable[bytes]) -> None:
        unknown = self.unknown(agents)
        if not unknown:
            return
        with self._changing():
            made = [self._new(agent, 1) for agent in sorted(self.unknown(unknown))]
            if made:
                self._file.append(made)
                self._scan()

    def unknown(self, agents: Iterable[bytes]) -> set[bytes]:
        with self._lock:
            return {agent for agent in agents if agent not in self._live and agent not in self._destroyed}

    def destroy(self, agent: bytes) -> list[bytes]:
        with self._changing():
            offsets = self._live.of(agent)
            old = [self._file.slot(offset) for offset in offsets]
            if old:
                self._file.overwrite(offsets, [_tombstone(self._master, agent, slot.version, slot.key_id) for slot in old])
            elif agent not in self._destroyed:
                self._file.append([_tombstone(self._master, agent, 1, bytes(8))])
                self._file.advance()
            self._refresh()
            return [slot.key_id for slot in map(self._file.slot, self._destroyed.of(agent))]

    def rotate(self, agent: bytes) -> AgentKeys:
        with self._changing():
            keys = self._load(agent)
            version, leaf = (1, None) if keys is None else (keys.newest.version + 1, keys.leaf_secret)
            self._file.append([self._new(agent, version, leaf)])
            self._file.advance()
            self._refresh()
            keys = self._load(agent)
            assert keys is not None
            return keys

    def erased(self, agent: bytes) -> bool:
        with self._lock:
            self._glance()
            return agent in self._destroyed and agent not in self._live

    def rewrap(self, new: MasterKey) -> int:
        """Wraps every key with ``new`` instead; how many. Other processes ask for their master key again."""
        with self._changing():
            slots = []
            for _, slot in self._file.slots():
                if slot.state == LIVE:
                    slots.append(_slot(new, slot.agent, slot.version, self._unwrapped(slot)))
                else:
                    slots.append(_tombstone(new, slot.agent, slot.version, slot.key_id))
            self._file.replace(slots, new.mark(b"file"))
            self._master = new
            self._forget()
            self._scan()
            return len(slots)

    @property
    def count(self) -> int:
        """Keys there are, and places of destroyed ones."""
        return len(self._live) + len(self._destroyed)

    def close(self) -> None:
        """Forgets all keys."""
        with self._lock:
            self._forget()
            self._file.close()

    def _forget(self) -> None:
        self._cache: OrderedDict[bytes, AgentKeys] = OrderedDict()
        self._live, self._destroyed = Offsets(), Offsets()
        self._scanned = HEAD
        self._generation = self._file.generation
        self._glanced = self._clock()

    def _glance(self) -> None:
        """Notices now and then what other processes changed."""
        if self._clock() - self._glanced >= GLANCE:
            self._glanced = self._clock()
            if self._file.replaced or self._file.generation != self._generation:
                self.refresh()

    def refresh(self) -> None:
        """Notices what other processes changed."""
        with self._changing():
            pass

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Holds both locks and knows what the file holds. Not to be nested."""
        with self._lock, self._file.locked():
            self._refresh()
            yield

    def _refresh(self) -> None:
        if self._file.replaced:
            self._master = self._masters()
            self._file.reopen(self._master.mark(b"file"))
            self._forget()
        elif self._file.generation != self._generation:
            self._forget()
        self._scan()

    def _scan(self) -> None:
        """Takes in the slots behind those known. Under the lock, so that none is half written."""
        for offset, slot in self._file.slots(self._scanned):
            if slot.state == LIVE:
                self._live.add(slot.agent, offset)
            elif slot.state == DESTROYED and slot.body.startswith(_mark(self._master, slot)):
                self._destroyed.add(slot.agent, offset)
            else:
                raise VaultError(f"slot {offset} of {self._file.path} is neither a key nor the mark of a destroyed one")
        self._scanned = self._file.end

    def _load(self, agent: bytes) -> AgentKeys | None:
        offsets = self._live.of(agent)
        if not offsets:
            if agent in self._destroyed:
                raise ErasedError(agent)
            return None
        boxes: dict[int, Box] = {}
        leaf = b""
        for slot in map(self._file.slot, offsets):
            if slot.state != LIVE:
                raise ErasedError(agent)  # destroyed this very moment
            both = self._unwrapped(slot)
            boxes[slot.version], leaf = Box(slot.version, both[:KEY_BYTES]), both[KEY_BYTES:]
        keys = self._cache[agent] = AgentKeys(agent, boxes[max(boxes)], boxes, leaf)
        while len(self._cache) > CACHED:
            self._cache.popitem(last=False)
        return keys

    def _unwrapped(self, slot: Slot) -> bytes:
        return self._master.unwrap(slot.body[:_WRAPPED], _name(slot.agent, slot.version))

    def _new(self, agent: bytes, version: int, leaf: bytes | None = None) -> Slot:
        both = secrets.token_bytes(KEY_BYTES) + (leaf or secrets.token_bytes(KEY_BYTES))
        return _slot(self._master, agent, version, both)


def _name(agent: bytes, version: int) -> bytes:
    return agent + version.to_bytes(4, "big")


def _slot(master: MasterKey, agent: bytes, version: int, both: bytes) -> Slot:
    if len(agent) != AGENT:
        raise ValueError(f"an agent's address has {AGENT} bytes, not {len(agent)}")
    wrapped = master.wrap(both, _name(agent, version))
    return Slot(LIVE, agent, version, key_id(both[:KEY_BYTES]), wrapped.ljust(BODY, b"\0"))


def _tombstone(master: MasterKey, agent: bytes, version: int, destroyed: bytes) -> Slot:
    slot = Slot(DESTROYED, agent, version, destroyed, b"")
    return slot._replace(body=_mark(master, slot).ljust(BODY, b"\0"))


def _mark(master: MasterKey, slot: Slot) -> bytes:
    return master.mark(b"destroyed" + _name(slot.agent, slot.version) + slot.key_id)
