"""What an agent's memories could be restored from, and how good each looks.

Invariant: a candidate is its rows, nothing else; whether it is right is said by the root that the lattice agent has published.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from schemas.codec import SchemaError, codec
from schemas.records import MemoryFact
from streams.agents.erasure import standing_facts
from streams.agents.memory_rows import fact_name
from streams.errors import Category, LogIntegrityError, MonmouthError, Severity
from streams.ports.log import LogReader
from streams.ports.stores import MemoryStore
from streams.private_file import make_new
from streams.signing import Signer
from streams.stored_ids import stored_ids
from streams.upkeep.pipeline import Pipeline
from streams.upkeep.standing import Advanced, AgentRoot, Secrets, StandingLog, StandingRow, root_of_rows

FORMAT = "monmouth/agent-checkpoint/1"
DAY = 86_400
MIB = 1 << 20
Rows = dict[bytes, StandingRow]


class RecoveryError(MonmouthError):
    """Memories that could not be restored, or not as the published root says they are."""

    category = Category.MEMORY
    severity = Severity.HIGH


@dataclass(frozen=True)
class Candidate:
    """``age``: seconds since it was last known to be right. ``rows`` by memory id."""

    name: str
    rows: Rows = field(repr=False)
    age: float = 0.0

    @property
    def size(self) -> int:
        """Bytes of content."""
        return sum(len(row.memory["content"]) for row in self.rows.values() if row.memory is not None)

    def root(self, secrets: Secrets) -> AgentRoot:
        """What its rows would publish."""
        return root_of_rows(self.rows, secrets)

    def quality(self, *, valid: bool) -> float:
        """0.5 for a root that is the published one, up to 0.3 for youth and up to 0.2 for being small.

        Youth goes to nothing within a day, smallness within a MiB.
        """
        youth = max(0.0, 1 - self.age / DAY)
        smallness = max(0.0, 1 - self.size / MIB)
        return 0.5 * valid + 0.3 * youth + 0.2 * smallness


async def from_log(standing: StandingLog, reader: LogReader, agent: bytes, advanced: Advanced) -> Candidate:
    """The log folded from its beginning: ``standing``, read on to the end."""
    await standing.read(reader, advanced=advanced)
    return Candidate("log", standing.of_agent(agent))


async def from_store(name: str, store: MemoryStore, agent: bytes, age: float = 0.0) -> Candidate:
    """What a memory store holds; of a store that cannot tell what changed, what is live alone."""
    wanted = await stored_ids(store, agent)
    found = await store.get(agent, wanted)
    rows = {i: StandingRow(row.presence, row.memory) for i, row in zip(wanted, found, strict=True) if row is not None}
    return Candidate(name, rows, age)


def facts_of(agent: bytes, rows: Mapping[bytes, StandingRow]) -> list[MemoryFact]:
    """The facts that make these rows."""
    return [
        MemoryFact(**{**fact, "memory": row.memory if fact["op"] == "UPSERT" else None})
        for memory_id, row in sorted(rows.items())
        for fact in standing_facts(agent, memory_id, row.presence)
    ]


def save(path: Path, standing: StandingLog, agent: bytes, signer: Signer, min_importance: float = 0.0) -> int:
    """Writes an agent's rows as of ``standing`` to a file, sealed as in the log; how many facts. Raises OSError.

    Of memories below ``min_importance`` the facts alone: which there are stays known, what they say is left out.
    """
    rows = {i: _without_unimportant(row, min_importance) for i, row in standing.of_agent(agent).items()}
    facts = [codec().encode("MemoryFact", fact).hex() for fact in facts_of(agent, rows)]
    said = {"format": FORMAT, "agent": agent.hex(), "partition": standing.partition, "offset": standing.settled}
    said |= {"time": int(time.time()), "facts": facts}
    signed = said | {"signature": signer.sign_bytes(_message(said)).hex()}
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    make_new(new, json.dumps(signed) + "\n")
    new.replace(path)
    return len(facts)


def _without_unimportant(row: StandingRow, least: float) -> StandingRow:
    memory = row.memory
    return row if memory is None or memory["importance"] >= least else StandingRow(row.presence)


def completed(base: Candidate, held: Candidate) -> Candidate:
    """``base`` with the memories it left out, as ``held`` has them. Raises RecoveryError if that lacks one.

    Whether they are the right ones is said by the published root, as for the others.
    """
    rows = dict(base.rows)
    left_out = [memory_id for memory_id, row in rows.items() if row.presence.upserts and row.memory is None]
    for memory_id in left_out:
        there = held.rows.get(memory_id)
        if there is None or there.memory is None:
            raise RecoveryError(
                f"memory {memory_id.hex()} is neither in {base.name} nor in {held.name}",
                "The checkpoint was saved with --min-importance. Take the strategy full.",
            )
        rows[memory_id] = StandingRow(rows[memory_id].presence, there.memory)
    return replace(base, rows=rows) if left_out else base


def _message(said: Mapping[str, object]) -> bytes:
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


async def from_base(
    pipeline: Pipeline, reader: LogReader, path: Path, agent: bytes, partition: int, *, advanced: Advanced = lambda *_: None
) -> Candidate:
    """A saved checkpoint and the log since. Raises RecoveryError if there is none of this agent, LogIntegrityError."""
    try:
        said = json.loads(path.read_text())
        signature = bytes.fromhex(said.pop("signature"))
    except FileNotFoundError:
        raise RecoveryError(f"there is no file {path}", "Make one: monmouth checkpoint save AGENT FILE") from None
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise LogIntegrityError(f"{path} cannot be read: {error}") from None
    if not pipeline.verifier.holds(signature, _message(said)):
        raise LogIntegrityError(f"{path}: the signature does not hold", "It was altered, or its writer is not trusted here.")
    if (said["format"], said["agent"], said["partition"]) != (FORMAT, agent.hex(), partition):
        raise RecoveryError(f"{path} is no checkpoint of agent 0x{agent.hex()}")
    rows: dict[tuple[bytes, bytes], StandingRow] = {}
    try:
        for fact in (codec().decode(bytes.fromhex(wire))[1] for wire in said["facts"]):
            _add(rows, fact)
    except SchemaError as error:
        raise LogIntegrityError(f"{path}: {error}") from None
    standing = StandingLog(pipeline, partition, base=rows, position=said["offset"])
    await standing.read(reader, advanced=advanced)
    return Candidate(f"checkpoint {path} and the log since", standing.of_agent(agent))


def _add(rows: dict[tuple[bytes, bytes], StandingRow], fact: MemoryFact) -> None:
    row = rows.setdefault((fact["owner"], fact["memory_id"]), StandingRow())
    name = fact_name(fact)
    row.presence = row.presence.upsert(name) if fact["op"] == "UPSERT" else row.presence.delete(name)
    row.memory = row.memory or fact["memory"]


def agreed(candidates: Sequence[Candidate], secrets: Secrets, threshold: Fraction) -> Candidate:
    """One of those that the largest group agrees on, if that is at least ``threshold`` of all. Raises RecoveryError.

    The share is a fraction, so that two of three are two thirds.
    """
    groups: dict[bytes, list[Candidate]] = {}
    for candidate in candidates:
        root = candidate.root(secrets)
        groups.setdefault(root.merkle_root + root.lattice.checksum(), []).append(candidate)
    largest = max(groups.values(), key=len, default=[])
    if not largest or Fraction(len(largest), len(candidates)) < threshold:
        names = "; ".join(", ".join(candidate.name for candidate in group) for group in groups.values())
        raise RecoveryError(
            f"no consensus: {len(largest)} of {len(candidates)} agree, {threshold} of them are needed ({names})",
            "Name more replicas, or take the strategy full.",
        )
    return largest[0]
