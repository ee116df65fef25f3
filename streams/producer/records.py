"""Blocks, undos and finality as the bytes that go into the log: records, one marker a partition, a notification.

Assumes blocks that were checked. Invariants: a transaction gives one record to its sender and at most one to each registered
counterparty; a record lies in the partition of its agent (murmur2, as every Kafka client); each partition gets exactly one
marker per notification, whose count and digest are those of the records in front of it; nothing too large is cut or dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from schemas.codec import codec
from schemas.records import ChainTransaction
from streams.core.block import BlockRef, Step
from streams.core.forkview import Undo
from streams.core.marker import Marker, block_digest
from streams.errors import Category, ConfigurationError, MonmouthError, Severity
from streams.partitions import partition_of
from streams.ports.chain import Block, Transaction
from streams.producer import metrics
from streams.producer.log import Staged
from streams.signing import Signer
from streams.topics import TOPICS, TRANSACTIONS

OVERHEAD = 1_024
MAX_RECORD = TOPICS[TRANSACTIONS].max_message_bytes - OVERHEAD
CACHED_PARTITIONS = 200_000
ADDRESS_TOPIC = bytes(12)


class RecordTooLargeError(MonmouthError):
    """A transaction does not fit the topic. The block is refused as a whole: leaving one record out would be a silent loss."""

    category = Category.CONFIGURATION
    severity = Severity.CRITICAL


def parse_agents(addresses: Iterable[str], setting: str = "chain.agents") -> frozenset[bytes]:
    """Agents from their 0x addresses, as ``setting`` names them. Raises ConfigurationError."""
    try:
        agents = [bytes.fromhex(text.removeprefix("0x")) for text in addresses]
    except ValueError as error:
        raise ConfigurationError(f"{setting}: {error}", "Give 20-byte addresses in hex.") from None
    if any(len(agent) != 20 for agent in agents):
        raise ConfigurationError(f"{setting}: an address is not 20 bytes long")
    return frozenset(agents)


def transaction_records(block: Block, chain_id: int, agents: frozenset[bytes]) -> Iterator[ChainTransaction]:
    """The records of a block in order: each transaction for its sender, then for every registered agent it concerns."""
    ref, timestamp = block.ref.record(), block.header["timestamp"]
    for tx in block.transactions:
        record = {**tx, "chain_id": chain_id, "block": ref, "timestamp": timestamp, "agent": tx["sender"], "role": "SENDER"}
        yield cast(ChainTransaction, record)
        if agents:
            for agent in sorted(_concerned(tx, agents)):
                yield cast(ChainTransaction, {**record, "agent": agent, "role": "COUNTERPARTY"})


def _concerned(tx: Transaction, agents: frozenset[bytes]) -> set[bytes]:
    """Registered agents, but the sender, that are recipient, new contract, emitter of a log or an address-shaped topic."""
    named: set[bytes | None] = {tx["to"], tx["contract_address"]}
    for log in tx["logs"]:
        named.add(log["address"])
        named.update(topic[12:] for topic in log["topics"] if topic[:12] == ADDRESS_TOPIC)
    return {agent for agent in named if agent in agents and agent != tx["sender"]}


class Stager:
    """Makes ``Staged`` for one chain and one partition count."""

    def __init__(self, chain_id: int, partitions: int, signer: Signer, agents: frozenset[bytes] = frozenset()) -> None:
        self._chain_id = chain_id
        self._count = partitions
        self._signer = signer
        self._agents = agents
        self._partitions: dict[bytes, int] = {}

    def partition(self, agent: bytes) -> int:
        """The partition of an agent, as Kafka's default partitioner has it."""
        found = self._partitions.get(agent)
        if found is None:
            if len(self._partitions) >= CACHED_PARTITIONS:
                self._partitions.clear()
            found = self._partitions[agent] = partition_of(agent, self._count)
        return found

    def new(self, block: Block, sequence: int, final: BlockRef | None) -> Staged:
        """A block that joins the chain. Raises RecordTooLargeError."""
        lists: list[list[tuple[bytes | None, bytes]]] = [[] for _ in range(self._count)]
        for record in transaction_records(block, self._chain_id, self._agents):
            agent, value = record["agent"], codec().encode("ChainTransaction", record)
            if len(value) > MAX_RECORD:
                raise self._refusal(block, agent, len(value))
            lists[self.partition(agent)].append((agent, value))
        records = sum(map(len, lists))
        base = Marker(
            Step.NEW, self._chain_id, sequence, TRANSACTIONS, 0, block.ref, block.ref, final, block.header["timestamp"]
        )
        for number, part in enumerate(lists):
            values = [value for _, value in part]
            part.append((None, self._marker(base, number, len(values), block_digest(values))))
        notification = self._notification(
            Step.NEW,
            sequence,
            block.ref,
            block.ref,
            final,
            header=block.header,
            transactions=len(block.transactions),
            records=records,
        )
        return Staged(notification, lists, records)

    def undo(self, undo: Undo, sequence: int, final: BlockRef | None) -> Staged:
        """Blocks that leave the chain."""
        newest, head = undo.removed[0], undo.ancestor
        marker = Marker(
            Step.UNDO, self._chain_id, sequence, TRANSACTIONS, 0, newest, head, final, removed=undo.removed, ancestor=head
        )
        removed = [ref.record() for ref in undo.removed]
        notification = self._notification(Step.UNDO, sequence, newest, head, final, removed=removed, ancestor=head.record())
        return Staged(notification, self._everywhere(marker))

    def final(self, final: BlockRef, sequence: int, head: BlockRef) -> Staged:
        """The finality line, moved to ``final``."""
        marker = Marker(Step.FINAL, self._chain_id, sequence, TRANSACTIONS, 0, final, head, final)
        return Staged(self._notification(Step.FINAL, sequence, final, head, final), self._everywhere(marker))

    def _everywhere(self, marker: Marker) -> list[list[tuple[bytes | None, bytes]]]:
        return [[(None, self._marker(marker, number, 0, marker.digest))] for number in range(self._count)]

    def _marker(self, base: Marker, partition: int, count: int, digest: bytes) -> bytes:
        record = {**base.record(), "partition": partition, "count": count, "digest": digest}
        return codec().encode("Marker", self._signer.sign("Marker", record))

    def _notification(
        self, step: Step, sequence: int, block: BlockRef, head: BlockRef, final: BlockRef | None, **more: Any
    ) -> bytes:
        record: dict[str, Any] = {
            "step": step.value,
            "chain_id": self._chain_id,
            "sequence": sequence,
            "block": block.record(),
            "head": head.record(),
            "final": final.record() if final else None,
            "header": None,
            "removed": [],
            "ancestor": None,
            "transactions": 0,
            "records": 0,
            **more,
        }
        return codec().encode("BlockNotification", self._signer.sign("BlockNotification", record))

    @staticmethod
    def _refusal(block: Block, agent: bytes, size: int) -> RecordTooLargeError:
        metrics.REFUSED.inc()
        return RecordTooLargeError(
            f"block {block.ref} refused: a record of agent 0x{agent.hex()} has {size} bytes, the topic takes {MAX_RECORD}",
            f"Raise max_message_bytes of {TRANSACTIONS} in streams/topics.py, apply the topics, start again; nothing is lost.",
        )
