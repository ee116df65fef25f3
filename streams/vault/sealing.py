"""The codec of a process that has keys: what it writes of an agent is sealed, what it reads is opened.

Every record goes to a topic or into a store through ``schemas.codec.codec()``, so this is the one place where plaintext and
ciphertext meet: stream agents and the gateway see open records only, topics and files sealed ones only.
Sealed are the private fields (see ``private_part``) of Memory, alone or in a MemoryFact, of MemoryCommand, Session and
Embedding, and the bytes that stores hand to ``seal``. A record without private content, such as FORGET or ERASE, stays open.
Invariants:
  * sealing is deterministic, so a replay writes the bytes that were written before;
  * a record of an erased agent reads as one that is ``is_erased``, empty, with its ids and its leaf, and is written as that;
  * a record that does not open for any other reason raises VaultError (a command, which anybody may write, SchemaError): it is
    never taken for an erased one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blake3 import blake3

from schemas.codec import OPEN, ROOT, VEIL, Codec, SchemaError, codec, using
from streams.core.leaf import leaf_of
from streams.core.sealed import ERASED
from streams.settings import Settings
from streams.vault.box import Box, open_part, version_of
from streams.vault.errors import ErasedError, VaultError
from streams.vault.keys import AGENT, AgentKeys, FileKeyStore, KeyStore
from streams.vault.master import open_master_key
from streams.vault.private_part import CLEAR, PrivatePart

_VEIL = "monmouth streams.vault 1 index entries of an agent"
ID = {"Memory": "id", "MemoryCommand": "id", "Session": "id", "Embedding": "memory_id"}


class SealingCodec(Codec):
    """``seals``: whether to write sealed records; those it reads it opens in any case."""

    def __init__(self, keys: KeyStore, bound: int | None = None, *, root: Path = ROOT, seals: bool = True) -> None:
        super().__init__(root, bound)
        self.keys = keys
        versions: dict[str, dict[str, str]] = json.loads((root / "ids.json").read_text())
        self._parts = {name: PrivatePart(name, versions[name], root, bound) for name in CLEAR}
        # A version that still reads and knows no sealed records is written for in the open; any later one seals, and is written
        # for in a form that it knows.
        self._seals = seals and (bound is None or all(part.oldest <= bound for part in self._parts.values()))

    def encode(self, name: str, record: Mapping[str, Any]) -> bytes:
        if self._seals:
            if name == "MemoryFact":
                memory = record["memory"]
                if memory is not None:
                    record = {**record, "memory": self._sealed("Memory", memory)}
            elif name in self._parts:
                record = self._sealed(name, record)
        return super().encode(name, record)

    def decode(self, value: bytes | None) -> tuple[str, Any]:
        name, record = super().decode(value)
        if name == "MemoryFact":
            memory = record["memory"]
            if memory is not None and memory["sealed"] is not None:
                self._open("Memory", memory)
        elif name == "MemoryCommand" and record["sealed"] is not None:
            try:
                self._open(name, record)
            except VaultError as error:  # anybody may write commands, so one that does not open stops nobody
                raise SchemaError(f"MemoryCommand: {error.message}") from error
        elif name in self._parts and record["sealed"] is not None:
            self._open(name, record)
        return name, record

    def _opened(self, name: str, record: dict[str, Any]) -> dict[str, Any]:
        if name in self._parts and record.get("sealed") is not None:
            self._open(name, record)
        return record

    def unprepared(self, agents: Iterable[bytes]) -> set[bytes]:
        return self.keys.unknown(agents) if self._seals else set()

    def prepare(self, agents: Iterable[bytes]) -> None:
        if self._seals:
            self.keys.prepare(agents)

    def erased(self, agent: bytes) -> bool:
        return self.keys.erased(agent)

    def named(self, agent: bytes) -> bool:
        try:
            return self.keys.get(agent) is not None
        except ErasedError:
            return False

    def seal(self, kind: str, agent: bytes, key: bytes, body: bytes) -> bytes:
        if not self._seals:
            return super().seal(kind, agent, key, body)
        try:
            return self.keys.get_or_create(agent).newest.seal(_place(kind, agent, key), body)
        except ErasedError:
            return ERASED

    def veil(self, agent: bytes, body: bytes) -> bytes:
        """Keyed, whether the codec seals or not, so that an index stays one index."""
        try:
            key = blake3(self.keys.get_or_create(agent).leaf_secret, derive_key_context=_VEIL).digest()
        except ErasedError:
            return bytes(VEIL)
        return blake3(body, key=key).digest(VEIL)

    def unseal(self, kind: str, agent: bytes, key: bytes, sealed: bytes) -> bytes | None:
        if sealed[:1] == ERASED:
            return None
        if sealed[:1] == OPEN:
            return sealed[1:]
        box = self._box(agent, sealed)
        return None if box is None else box.open(_place(kind, agent, key), sealed)

    def _sealed(self, name: str, record: Mapping[str, Any]) -> Mapping[str, Any]:
        part = self._parts[name]
        if record["sealed"] is not None or part.is_empty(record):  # what is closed stays as it is, with its key or without
            return record
        agent = record["agent"]
        if len(agent) != AGENT:
            return record  # which does not fit its schema
        try:
            keys = self.keys.get_or_create(agent)
        except ErasedError:
            return {**record, **part.empty, "sealed": ERASED}
        place = _place(name, agent, record[ID[name]])
        opened = _leaf(keys, record) if name == "Memory" else b""
        return {**record, **part.empty, "sealed": keys.newest.seal(place, part.encode(record), opened)}

    def _open(self, name: str, record: dict[str, Any]) -> None:
        sealed: bytes = record["sealed"]
        if sealed[:1] == ERASED:
            return
        box = self._box(record["agent"], sealed)
        if box is None:
            record["sealed"] = ERASED + open_part(sealed)
            return
        place = _place(name, record["agent"], record[ID[name]])
        record.update(self._parts[name].decode(box.open(place, sealed)), sealed=None)

    def _box(self, agent: bytes, sealed: bytes) -> Box | None:
        """What opens it; None if that was destroyed."""
        version = version_of(sealed)
        try:
            keys = self.keys.get(agent)
            if keys is None or version not in keys.boxes:
                self.keys.refresh()
                keys = self.keys.get(agent)
        except ErasedError:
            return None
        if keys is None or version not in keys.boxes:
            raise VaultError(
                f"a record of agent 0x{agent.hex()} is sealed with version {version} of a key that is not in this keys folder",
                "Give this process the keys folder of the one that wrote it. See 'Keys' in docs/security.md.",
            )
        return keys.boxes[version]


def _place(kind: str, agent: bytes, key: bytes) -> bytes:
    return kind.encode() + b"\0" + agent + key


def _leaf(keys: AgentKeys, memory: Mapping[str, Any]) -> bytes:
    return b"".join(leaf_of(keys.leaf_secret, memory))


def open_keys(settings: Settings) -> FileKeyStore:
    """The keys of the installation. Raises ConfigurationError, VaultError."""
    return FileKeyStore(settings.path(settings.security.agent_keys_file), lambda: open_master_key(settings))


@contextmanager
def sealed_records(settings: Settings) -> Iterator[FileKeyStore]:
    """Makes the process write sealed records and read them, as ``settings`` say, until the end of the block."""
    keys = open_keys(settings)
    bare = codec()
    bound = settings.kafka.newest_schema if bare.bound is None else bare.bound
    try:
        with using(SealingCodec(keys, bound, root=bare.root, seals=settings.security.seal)):
            yield keys
    finally:
        keys.close()
