"""The bridge agent: memories of agents that asked for it, as signed records for programs on Solana, in bridge.records.

Off unless ``bridge.agents`` names agents: what crosses is in the clear for whoever reads the topic, and in local state.
Invariants: what a key of bridge.records last says is the record of a memory that is live, and a tombstone if it is not; with
``final_only`` facts of a block count once it is final, so that nothing that crossed is taken back by a reorg; the same facts
give the same bytes, since Ed25519 is deterministic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from schemas.records import MemoryFact
from streams import topics
from streams.agents.base import Emit, LocalState, Record, StreamAgent
from streams.core.block import BlockRef
from streams.errors import PoisonError
from streams.portability.attest import Attester
from streams.portability.bridge import BridgeRecord, encode
from streams.portability.errors import PackageError

PUT, GONE, WAITING, SHOWN, FINAL = b"u", b"d", b"w", b"p", b"f"
_KEY = 20 + 32
_NUMBER = 8
ALWAYS = b"\xff" * _NUMBER
"""In place of a block's number, for facts of commands, which no block holds."""


class BridgeAgent(StreamAgent):
    """memory.log to bridge.records."""

    name: ClassVar[str] = "bridge"
    inputs: ClassVar[tuple[str, ...]] = (topics.MEMORY_LOG,)
    tables: ClassVar[tuple[str, ...]] = (topics.BRIDGE,)
    stateful: ClassVar[bool] = True
    keeps_state: ClassVar[bool] = True

    def __init__(
        self, partition: int, state: LocalState, signer: Attester, agents: frozenset[bytes], *, final_only: bool = False
    ) -> None:
        super().__init__(partition, state)
        self._signer = signer
        self._agents = agents
        self._final_only = final_only
        self._touched: dict[bytes, None] = {}

    def apply(self, block: BlockRef | None, records: Sequence[Record]) -> Iterable[Emit]:
        """Takes the facts in. Raises PoisonError for what is no fact."""
        for fact in self._facts(records):
            self._take(fact)
        return self._said()

    def revert(self, block: BlockRef, records: Sequence[Record]) -> Iterable[Emit]:
        """Takes them back."""
        for fact in self._facts(records):
            for kind in (PUT, GONE):
                self.state.delete(kind + _key(fact) + _name(fact))
            self.state.delete(_waiting(fact))
            self._touched[_key(fact)] = None
        return self._said()

    def finalize(self, block: BlockRef) -> Iterable[Emit]:
        """With ``final_only``: what waited for ``block`` and blocks before it counts from now on."""
        if not self._final_only:
            return ()
        self.state.put(FINAL, block.number.to_bytes(_NUMBER, "big"))
        due = []
        for waiting, _ in self.state.scan(WAITING):
            if int.from_bytes(waiting[1 : 1 + _NUMBER], "big") > block.number:
                break
            due.append(waiting)
        for waiting in due:
            self.state.delete(waiting)
            self._touched[waiting[1 + _NUMBER : 1 + _NUMBER + _KEY]] = None
        return self._said()

    def _facts(self, records: Sequence[Record]) -> Iterator[MemoryFact]:
        for record in records:
            if record.type != "MemoryFact":
                raise PoisonError(f"{record.topic} holds a {record.type}, which is no input of the bridge agent")
        return (record.value for record in records if record.value["owner"] in self._agents)

    def _take(self, fact: MemoryFact) -> None:
        key, name = _key(fact), _name(fact)
        if fact["op"] == "DELETE":
            self.state.put(GONE + key + name, b"")
            if fact["block"] is None:  # for good: nothing that was said of it is kept
                for row in [row for row, _ in self.state.scan(PUT + key)]:
                    self.state.put(row, b"")
        elif (payload := self._payload(fact)) is not None:
            gone = any(row[-_NUMBER:] == ALWAYS for row, _ in self.state.scan(GONE + key))
            self.state.put(PUT + key + name, b"" if gone else payload)
        if self._final_only and fact["block"] is not None:
            self.state.put(_waiting(fact), b"")
        self._touched[key] = None

    def _payload(self, fact: MemoryFact) -> bytes | None:
        """None for what does not cross: amendments, what was erased, and what no record has room for."""
        memory = fact["memory"]
        if memory is None or memory["sealed"] is not None or memory["form"] == "AMENDMENT":
            return None
        try:
            return encode(BridgeRecord.of(memory), self._signer)
        except PackageError:
            return None

    def _said(self) -> list[Emit]:
        """One word on each memory touched, where it is another one than the last."""
        touched, self._touched = self._touched, {}
        return [emit for key in touched for emit in self._word(key)]

    def _word(self, key: bytes) -> Iterator[Emit]:
        payload, shown = self._payload_of(key), self.state.get(SHOWN + key)
        if payload == shown:
            return
        if payload is None:
            self.state.delete(SHOWN + key)
            yield Emit(topics.BRIDGE, key, "BridgedMemory", None)
        else:
            self.state.put(SHOWN + key, payload)
            yield Emit(topics.BRIDGE, key, "BridgedMemory", {"agent": key[:20], "memory_id": key[20:], "payload": payload})

    def _payload_of(self, key: bytes) -> bytes | None:
        if any(self._counts(row) for row, _ in self.state.scan(GONE + key)):
            return None
        return next((payload for row, payload in self.state.scan(PUT + key) if payload and self._counts(row)), None)

    def _counts(self, row: bytes) -> bool:
        number = row[-_NUMBER:]
        return not self._final_only or number == ALWAYS or number <= (self.state.get(FINAL) or b"")


def _key(fact: MemoryFact) -> bytes:
    return fact["owner"] + fact["memory_id"]


def _name(fact: MemoryFact) -> bytes:
    """What tells facts of one memory apart; the number of the block at its end."""
    block = fact["block"]
    place = bytes(32) + ALWAYS if block is None else block["hash"] + block["number"].to_bytes(_NUMBER, "big")
    return fact["cause"] + place


def _waiting(fact: MemoryFact) -> bytes:
    block = fact["block"]
    number = ALWAYS if block is None else block["number"].to_bytes(_NUMBER, "big")
    return WAITING + number + _key(fact) + _name(fact)
