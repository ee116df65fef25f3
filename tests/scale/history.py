"""The input of a scale run: blocks, reorgs and finality moves, made from a seed one step at a time, in flat memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from schemas.codec import codec
from streams.core.block import ZERO_HASH, BlockRef, Step
from streams.core.ids import content_id
from streams.core.marker import Marker, block_digest
from tests.chainlog import CHAIN_ID, GENESIS, SIGNER, KeyValue, address
from tests.scale.ledger import EVENTS

AGENTS = 8
"""Agents of a partition."""
FINALITY = 32
REORG_EVERY = 25
DEEPEST = 12
TEXT = "a transfer of 1.5 ETH to the exchange, as agreed"


@dataclass(frozen=True, slots=True)
class Size:
    """``records``: at least so many events over all ``partitions``, those of undone blocks counted in."""

    records: int
    partitions: int
    per_block: int = 100
    """Events of a block in one partition."""


def agents_of(partition: int) -> list[bytes]:
    """Who acts there."""
    return [address(partition * AGENTS + number) for number in range(AGENTS)]


def history(size: Size, seed: int) -> Iterator[tuple[int, list[list[KeyValue]]]]:
    """(events so far, per partition the records of one step with its marker behind them)."""
    random = Random(seed)
    chain: deque[BlockRef] = deque([GENESIS], maxlen=FINALITY + DEEPEST + 2)
    final: BlockRef | None = None
    sequence = written = fork = 0
    while written < size.records:
        above = chain[-1].number - (final.number if final else 0)
        if above > FINALITY:
            final = chain[-FINALITY]
            moved = _marker(Step.FINAL, sequence, final, chain[-1], final)
            yield written, _everywhere(moved, size)
            sequence += 1
        elif above > 1 and random.randrange(REORG_EVERY) == 0:
            depth = random.randint(1, min(DEEPEST, above - 1))
            removed = tuple(chain.pop() for _ in range(depth))
            fork += 1
            undone = _marker(Step.UNDO, sequence, removed[0], chain[-1], final)
            yield written, _everywhere(replace(undone, removed=removed, ancestor=chain[-1]), size)
            sequence += 1
        tip = chain[-1]
        number = tip.number + 1
        chain.append(BlockRef(number, content_id("scale/block", number, tip.hash, b"%d" % fork), tip.hash))
        marker = replace(_marker(Step.NEW, sequence, chain[-1], chain[-1], final), timestamp=1_700_000_000 + number)
        parts = [_events(chain[-1], partition, size.per_block, random) for partition in range(size.partitions)]
        written += size.per_block * size.partitions
        yield (
            written,
            [[*part, _signed(marker, partition, [value for _, value in part])] for partition, part in enumerate(parts)],
        )
        sequence += 1


def _events(block: BlockRef, partition: int, count: int, random: Random) -> list[tuple[bytes, bytes]]:
    agents, encode, ref = agents_of(partition), codec().encode, block.record()
    pairs = []
    for index, agent in enumerate(random.choices(agents, k=count)):
        event = {
            "chain_id": CHAIN_ID, "block": ref, "timestamp": 1_700_000_000 + block.number, "agent": agent,
            "transaction": block.hash[:24] + partition.to_bytes(4, "big") + index.to_bytes(4, "big"),
            "transaction_index": index, "intent": "transfer", "confidence": 1.0, "method": None, "slots": {}, "text": TEXT,
            "alternatives": [],
        }  # fmt: skip
        pairs.append((agent, encode("Intent", event)))
    return pairs


def _marker(step: Step, sequence: int, block: BlockRef, head: BlockRef, final: BlockRef | None) -> Marker:
    return Marker(step, CHAIN_ID, sequence, EVENTS, 0, block, head, final)


def _everywhere(marker: Marker, size: Size) -> list[list[KeyValue]]:
    return [[_signed(marker, partition, None)] for partition in range(size.partitions)]


def _signed(marker: Marker, partition: int, values: Sequence[bytes] | None) -> KeyValue:
    digest = ZERO_HASH if values is None else block_digest(values)
    said = replace(marker, partition=partition, count=len(values or ()), digest=digest).record()
    return None, codec().encode("Marker", SIGNER.sign("Marker", said))
