"""What must hold: while a run goes on, of all that becomes visible; and at its end, against the canonical chain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise, product
from math import inf
from typing import Any

from schemas.codec import codec
from streams import topics
from streams.agents.base import StreamAgent
from streams.core.block import BlockRef, Step, optional_ref
from streams.core.record import NEWER, Record
from streams.core.replay import Replay, key_of
from streams.core.replay import due as replay_due
from streams.core.segment import Assembler
from streams.ports.log import TopicPartition
from streams.runtime.deadletter import dead_letter_key
from streams.runtime.decode import decode
from tests.sim.agents import Canonical
from tests.sim.broker import Broker
from tests.toys import POISON, live_output, table


class Watch:
    """Reads every marked topic as it becomes visible, as any consumer would: sequence, parents, counts, digests.

    Signatures are checked once, at the end. ``notified``: (time, notification) of chain.blocks, as they became visible.
    """

    def __init__(self, broker: Broker, logs: Sequence[str], now: Callable[[], float]) -> None:
        self._broker = broker
        self._now = now
        self._marked = frozenset(logs)
        self._places: dict[TopicPartition, int] = {}
        self._assemblers: dict[TopicPartition, Assembler] = {}
        self.notified: list[tuple[float, dict[str, Any]]] = []
        self.faults: list[str] = []
        broker.watch = self.grown

    def grown(self, target: TopicPartition) -> None:
        if target.topic not in self._marked and target.topic != topics.BLOCKS:
            return
        log = self._broker.log(target)
        start = self._places.get(target, 0)
        entries = list(log.visible(start, len(log.entries)))
        self._places[target] = max(start, log.stable)
        if target.topic == topics.BLOCKS:
            self.notified += [(self._now(), codec().decode(entry.value)[1]) for entry in entries]
            return
        if target not in self._assemblers:
            self._assemblers[target] = Assembler(*target, 0, lambda _: None, first=0)
        try:
            self._assemblers[target].feed(decode(target, entries))
        except Exception as error:
            self.faults.append(f"{target.topic}/{target.partition}: {error}")


def producer_faults(watch: Watch, broker: Broker, canonical: Canonical) -> Iterator[str]:
    """The producer's log is well formed and says what the node says."""
    held: list[BlockRef] = []
    for due, (_, record) in enumerate(watch.notified):
        fault = _follow(held, due, record)
        if fault:
            yield f"{topics.BLOCKS} {due}: {fault}"
            return
    wanted = [ref for ref, _ in canonical.blocks]
    if held != wanted:
        yield f"{topics.BLOCKS}: leads to {held[-1:]}, the node is at {wanted[-1:]}"
    for partition in range(canonical.partitions):
        found = live_output(broker.read(topics.TRANSACTIONS, partition), topics.TRANSACTIONS, partition, broker.verifier)
        placed = [(ref, [record for _, _, record in parts[partition]]) for ref, parts in canonical.blocks]
        if [ref for ref, _ in found] != wanted:
            yield f"{topics.TRANSACTIONS}/{partition}: other blocks than the node's"
        elif [[_essence(r) for r in records] for _, records in found] != [[_essence(r) for r in rs] for _, rs in placed]:
            yield f"{topics.TRANSACTIONS}/{partition}: other records than the node's"


def _essence(record: dict[str, Any]) -> tuple[object, ...]:
    return tuple(record[name] for name in ("hash", "agent", "role", "index", "input", "status"))


def _follow(held: list[BlockRef], due: int, record: dict[str, Any]) -> str:
    """Folds one notification into ``held``; what is wrong with it, or nothing."""
    block, step = BlockRef.of(record["block"]), Step(record["step"])
    if record["sequence"] != due:
        return f"has sequence {record['sequence']}"
    if step is Step.NEW:
        if held and (block.parent, block.number) != (held[-1].hash, held[-1].number + 1):
            return f"{block} does not follow {held[-1]}"
        held.append(block)
    elif step is Step.UNDO:
        for removed in map(BlockRef.of, record["removed"]):
            if not held or held.pop() != removed:
                return f"removes {removed}, which is not the tip"
        if not held or held[-1] != BlockRef.of(record["ancestor"]):
            return "leads to another block than its ancestor"
    elif block not in held:
        return f"{block} is final, but not in the chain"
    return "" if BlockRef.of(record["head"]) == held[-1] else "names another head"


def false_finals(watch: Watch, called: Mapping[bytes, float]) -> Iterator[str]:
    """Blocks called final that no answer so far had called final; ``called``: since when one had, by hash."""
    for time, record in watch.notified:
        block = BlockRef.of(record["block"])
        if record["step"] == "FINAL" and called.get(block.hash, inf) > time:
            yield f"{block} is final in the log, but no node ever said so of a chain that holds it"


def lost_finals(watch: Watch) -> Iterator[str]:
    """Blocks taken back that had been called final."""
    line: BlockRef | None = None
    for _, record in watch.notified:
        if record["step"] == "UNDO" and line is not None and record["ancestor"]["number"] < line.number:
            yield f"undo down to {BlockRef.of(record['ancestor'])}, but {line} was final"
        line = optional_ref(record["final"])


Answer = tuple[float, str, BlockRef, bool]
"""(time, producer process, block it was told is canonical, whether as the head)."""


def false_undos(
    watch: Watch, answers: Sequence[Answer], parent: Callable[[bytes], BlockRef], confirmations: int
) -> Iterator[str]:
    """Undos that no answer of the node called for.

    For each time a block is taken back, the node must have given it, or a head above it, and later a head, or a block as high,
    that is not above it; if all of the latter were below the tip taken back, then one of them ``confirmations`` times in a row
    to the same producer.
    """
    undone: Counter[bytes] = Counter()
    for time, record in watch.notified:
        if record["step"] != "UNDO":
            continue
        oldest, tip = BlockRef.of(record["removed"][-1]), BlockRef.of(record["removed"][0])
        undone[oldest.hash] += 1
        known = ((who, ref, _holds(ref, oldest, parent), is_head) for at, who, ref, is_head in answers if at <= time)
        told = [(who, ref, is_on) for who, ref, is_on, is_head in known if is_on or is_head or ref.number >= oldest.number]
        turns = sum(1 for before, after in pairwise(told) if before[2] and not after[2])
        off = [head for _, head, is_on in told if not is_on]
        if turns < undone[oldest.hash]:
            yield f"undo {undone[oldest.hash]} of {oldest}: the node left it {turns} times"
        elif all(head.number < tip.number for head in off) and _longest_run(told) < confirmations:
            yield f"undo of {tip}: no head below it was named {confirmations} times in a row"


def _holds(head: BlockRef, block: BlockRef, parent: Callable[[bytes], BlockRef]) -> bool:
    at = head
    while at.number > block.number:
        at = parent(at.parent)
    return at == block


def _longest_run(told: Sequence[tuple[str, BlockRef, bool]]) -> int:
    """Of equal heads off the branch, in a row to one producer."""
    runs: dict[str, tuple[BlockRef | None, int]] = {}
    longest = 0
    for who, head, is_on in told:
        last, length = runs.get(who, (None, 0))
        runs[who] = (None, 0) if is_on else (head, length + 1 if head == last else 1)
        longest = max(longest, runs[who][1])
    return longest


def replays_left(broker: Broker, groups: Sequence[type[StreamAgent]], partitions: int) -> Iterator[str]:
    """Replays that were asked for and are not over."""
    for spec, number in product(groups, range(partitions)):
        rows = {key: Replay.of(row) for key, row in table(broker.read(topics.REPLAYS, number)).items()}
        request, status = (rows.get(key_of(spec.name, number, request=wanted)) for wanted in (True, False))
        if left := replay_due(request, status):
            yield f"replay {left.id} of {spec.name}/{number} is at {left.phase}"


def _refused(record: Record) -> bool:
    return record.type in {"", NEWER} or POISON in (record.value.get("input"), record.value.get("content"))


def letter_faults(broker: Broker, canonical: Canonical, readers: Sequence[type[StreamAgent]], prefix: str) -> Iterator[str]:
    """Each record that is poisoned or unreadable has exactly one dead letter of each reader, and nothing else has one.

    Where a replay was asked for, what is refused again has another letter under the same key.
    """
    wanted = []
    sources = (topic for spec in readers for topic in spec.inputs if topic in (topics.TRANSACTIONS, topics.COMMANDS))
    for topic, partition in product(sources, range(canonical.partitions)):
        log = broker.log(target := TopicPartition(topic, partition))
        records = decode(target, list(log.visible(0, len(log.entries))))
        wanted += [dead_letter_key(topics.physical(prefix, topic), record) for record in records if _refused(record)]
    found = [key for key, _ in broker.read(topics.DLQ, 0)]
    replayed = any(broker.read(topics.REPLAYS, number) for number in range(canonical.partitions))
    if sorted(found) != sorted(wanted) and not (replayed and set(found) == set(wanted)):
        yield f"dlq: {len(found)} letters, {len(set(found))} different, {len(wanted)} wanted"
