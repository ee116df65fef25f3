"""What enough replicas agree on, and checkpoints of an agent that leave lesser memories out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from schemas.records import Memory
from streams.core.presence import Fact, Presence
from streams.upkeep.candidates import Candidate, RecoveryError, agreed, completed, from_base, save
from streams.upkeep.pipeline import Pipeline
from streams.upkeep.recover import THRESHOLD
from streams.upkeep.standing import StandingLog, StandingRow
from tests.chainlog import SIGNER, VERIFIER
from tests.fakelog import FakeBroker
from tests.samples import SAMPLES
from tests.unit.runtime.driving import settings

ALICE = b"a" * 20


def row(number: int, importance: float = 0.5) -> StandingRow:
    memory: Memory = {**SAMPLES["Memory"], "id": bytes([number]) * 32, "agent": ALICE, "importance": importance}  # type: ignore[typeddict-item]
    return StandingRow(Presence(frozenset([Fact(bytes([number]) * 32)]), frozenset()), memory)


def secret(agent: bytes) -> bytes:
    return agent.ljust(32)


def replicas(*numbers: int) -> list[Candidate]:
    """One for each number; those of equal numbers hold the same."""
    return [Candidate(f"replica {place}", {bytes([n]) * 32: row(n)}) for place, n in enumerate(numbers)]


@pytest.mark.parametrize(
    ("held", "threshold", "agree"),
    [
        ((1, 1, 2), THRESHOLD, True),
        ((1, 1, 1, 1, 2, 2), THRESHOLD, True),
        ((1, 1, 1, 2, 2), THRESHOLD, False),
        ((1, 1, 2), Fraction("0.67"), False),
        ((1, 2), Fraction(1, 2), True),
    ],
)
def test_two_thirds_are_two_of_three(held: tuple[int, ...], threshold: Fraction, agree: bool) -> None:
    if agree:
        assert agreed(replicas(*held), secret, threshold).rows == {b"\x01" * 32: row(1)}
        return
    with pytest.raises(RecoveryError, match=f"of {len(held)} agree, {threshold} of them are needed"):
        agreed(replicas(*held), secret, threshold)


async def test_a_checkpoint_may_leave_lesser_memories_out_and_says_that_there_are(tmp_path: Path) -> None:
    broker, path = FakeBroker(), tmp_path / "agent"
    at = Pipeline(broker, settings(tmp_path), SIGNER, VERIFIER)
    rows = {bytes([n]) * 32: row(n, importance) for n, importance in enumerate((0.25, 0.5, 0.75), 1)}
    standing = StandingLog(at, 0, base={(ALICE, memory_id): each for memory_id, each in rows.items()})
    reader = broker.reader()
    for least, left_out in ((0.0, 0), (0.5, 1), (1.0, 3)):
        assert save(path, standing, ALICE, SIGNER, least) == 3
        base = await from_base(at, reader, path, ALICE, 0)
        assert sum(each.memory is None for each in base.rows.values()) == left_out
        assert {i: each.presence for i, each in base.rows.items()} == {i: each.presence for i, each in rows.items()}
        assert completed(base, Candidate("the store", rows)).rows == rows
        if left_out:
            with pytest.raises(RecoveryError, match=r"is neither in checkpoint .* nor in the store"):
                completed(base, Candidate("the store", {}))
    await reader.close()
