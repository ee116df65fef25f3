"""The official consensus vectors: fed in arrival order, the events must be those expected, case by case."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from connectors.chain import decode
from streams.core.block import BlockRef
from streams.core.forkchoice import Event, ForkChoice, Outcome
from tests.conftest import DATA

VECTORS = DATA / "ethereum" / "reorg_vectors"
EXPECTED = VECTORS / "expected_events.jsonl"
CASES = [json.loads(line) for line in EXPECTED.read_text().splitlines()] if EXPECTED.exists() else []


@cache
def load(path: Path) -> dict[str, Any]:
    with gzip.open(path) as file:
        return json.load(file)


def arrival(rlp_hex: str) -> tuple[BlockRef, int]:
    header = decode.header(decode.decode(bytes.fromhex(rlp_hex.removeprefix("0x")))[0])
    return decode.ref_of(header), int.from_bytes(header["difficulty"], "big")


def hexes(refs: tuple[BlockRef, ...]) -> list[str]:
    return ["0x" + ref.hash.hex() for ref in refs]


def described(index: int, event: Event) -> dict[str, Any]:
    base = {"i": index, "event": event.outcome.value}
    if event.outcome is Outcome.REORG:
        return base | {"old": hexes(event.old), "new": hexes(event.new), "common_ancestor": "0x" + event.ancestor.hash.hex()}
    return base | {"hash": "0x" + event.block.hash.hex()}


@pytest.mark.skipif(not CASES, reason="no consensus vectors")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"] + "@" + case["file"].split("/")[0][-5:])
def test_events_of_official_vectors(case: dict[str, Any]) -> None:
    vector = load(VECTORS / case["file"])[case["case"]]
    genesis, difficulty = arrival(vector["genesisRLP"])
    assert "0x" + genesis.hash.hex() == case["genesis"]
    choice = ForkChoice.from_genesis(genesis, difficulty)
    events = []
    for index, block in enumerate(vector["blocks"]):
        ref, weight = arrival(block["rlp"])
        valid = "blockHeader" in block and not any(key.startswith("expectException") for key in block)
        events.append(described(index, choice.feed(ref, weight, valid=valid)))
    assert events == case["events"]
    assert "0x" + choice.head.hash.hex() == case["final_head"]


def test_vectors_are_all_there() -> None:
    if not EXPECTED.exists():
        pytest.skip("no consensus vectors")
    assert len(CASES) == 81
    assert sum(event["event"] == "reorg" for case in CASES for event in case["events"]) == 64


def block(number: int, fork: int, parent: BlockRef) -> BlockRef:
    return BlockRef(number, bytes([fork, number]) * 16, parent.hash)


GENESIS = BlockRef(0, bytes(32), bytes(32))


def test_known_orphan_and_the_children_of_the_invalid() -> None:
    choice = ForkChoice.from_genesis(GENESIS, 1)
    one = block(1, 0, GENESIS)
    bad = block(1, 1, GENESIS)
    assert choice.feed(one, 5).outcome is Outcome.COMMIT
    assert choice.feed(one, 5).outcome is Outcome.KNOWN
    assert choice.feed(bad, 9, valid=False).outcome is Outcome.INVALID
    assert choice.feed(block(2, 1, bad), 9).outcome is Outcome.INVALID
    assert choice.feed(block(3, 2, block(2, 2, one)), 9).outcome is Outcome.ORPHAN
    assert choice.feed(block(3, 0, one), 9).outcome is Outcome.INVALID  # skips a height
    assert choice.head == one


def test_equal_difficulty_does_not_move_the_head() -> None:
    choice = ForkChoice.from_genesis(GENESIS, 1)
    one, other = block(1, 0, GENESIS), block(1, 1, GENESIS)
    choice.feed(one, 5)
    assert choice.feed(other, 5).outcome is Outcome.SIDE
    event = choice.feed(block(2, 1, other), 1)
    assert (event.outcome, event.old, event.new[0], event.ancestor) == (Outcome.REORG, (one,), other, GENESIS)


def test_forget_drops_old_branches_and_keeps_choosing() -> None:
    choice = ForkChoice.from_genesis(GENESIS, 1)
    tip = GENESIS
    for number in range(1, 20):
        tip = block(number, 0, tip)
        choice.feed(tip, 2)
    choice.forget(10)
    assert min(ref.number for ref in choice.refs.values()) == 10
    assert choice.feed(block(20, 0, tip), 2).outcome is Outcome.COMMIT
