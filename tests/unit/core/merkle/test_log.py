"""The append-only log: official vectors, and every size up to 64 against the definition of the RFC."""

from __future__ import annotations

import json
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from streams.core.merkle.log import (
    EMPTY_ROOT,
    Frontier,
    MerkleLog,
    leaf_hash,
    range_root,
    verify_consistency,
    verify_inclusion,
)

ENTRIES = [bytes([i]) * i for i in range(64)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 2.1.1, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


@pytest.fixture(scope="module")
def log() -> MerkleLog:
    log = MerkleLog()
    for leaf in LEAVES:
        log.append(leaf)
    return log


@pytest.fixture(scope="module")
def vectors(data_dir: Path) -> dict[str, list[dict[str, Any]]]:
    return json.loads((data_dir / "rfc6962" / "vectors.json").read_text())["vectors"]


def decoded(values: list[str] | None) -> list[bytes]:
    return [b64decode(value) for value in values or []]


def test_official_inclusion_vectors(vectors: dict[str, list[dict[str, Any]]]) -> None:
    cases = vectors["inclusion"]
    for case in cases:
        held = verify_inclusion(
            case["leafIdx"], case["treeSize"], b64decode(case["leafHash"]), decoded(case["proof"]), b64decode(case["root"])
        )
        assert held is not case["wantErr"], case["file"]
    assert {case["wantErr"] for case in cases} == {True, False}


def test_official_consistency_vectors(vectors: dict[str, list[dict[str, Any]]]) -> None:
    cases = vectors["consistency"]
    for case in cases:
        held = verify_consistency(
            case["size1"], case["size2"], decoded(case["proof"]), b64decode(case["root1"]), b64decode(case["root2"])
        )
        assert held is not case["wantErr"], case["file"]
    assert {case["wantErr"] for case in cases} == {True, False}


def test_roots_of_all_sizes(log: MerkleLog) -> None:
    frontier = Frontier()
    for size in range(len(LEAVES) + 1):
        assert log.root(size) == frontier.root() == naive_root(LEAVES[:size])
        assert Frontier.of(bytes(frontier)) == frontier
        assert len(frontier.hashes) == size.bit_count()
        if size < len(LEAVES):
            frontier, _ = frontier.append(LEAVES[size])
    assert log.root(0) == EMPTY_ROOT


def test_inclusion_of_every_leaf_in_every_size(log: MerkleLog) -> None:
    for size in range(1, len(LEAVES) + 1):
        root = log.root(size)
        for index in range(size):
            path = log.prove_inclusion(index, size)
            assert len(path) <= (size - 1).bit_length()
            assert verify_inclusion(index, size, LEAVES[index], path, root)
            assert not verify_inclusion(index, size, LEAVES[index - 1], path, root) or size == 1
            assert not verify_inclusion((index + 1) % size, size, LEAVES[index], path, root) or size == 1


def test_consistency_of_all_pairs(log: MerkleLog) -> None:
    for second in range(1, len(LEAVES) + 1):
        for first in range(1, second + 1):
            path, old, new = log.prove_consistency(first, second), log.root(first), log.root(second)
            assert verify_consistency(first, second, path, old, new)
            assert not verify_consistency(first, second, path, bytes(32), new)
            assert not verify_consistency(first, second, path, old, bytes(32))
            assert not verify_consistency(first, second, (*path, bytes(32)), old, new)
            if first < second:
                assert not verify_consistency(second, first, path, new, old)
                assert not verify_consistency(first, second, path[:-1], old, new)


def test_a_rewritten_log_is_not_consistent(log: MerkleLog) -> None:
    forged = MerkleLog()
    for index, leaf in enumerate(LEAVES):
        forged.append(leaf_hash(b"forged") if index == 5 else leaf)
    for first in range(6, 64):
        assert not verify_consistency(first, 64, forged.prove_consistency(first), log.root(first), forged.root())


@pytest.mark.parametrize(
    "broken",
    [None, 5, "x", [b""], [b"x" * 31], ["x" * 32], [None], [bytes(32)] * 1000, iter([])],
)
def test_malformed_proofs_are_false_not_errors(log: MerkleLog, broken: Any) -> None:
    assert verify_inclusion(3, 8, LEAVES[3], broken, log.root(8)) is False
    assert verify_consistency(3, 8, broken, log.root(3), log.root(8)) is False


@pytest.mark.parametrize("broken", [None, "3", 3.0, True, -1, 1 << 64, 1 << 3000])
def test_malformed_sizes_are_false_not_errors(log: MerkleLog, broken: Any) -> None:
    path, old, new = log.prove_consistency(3, 8), log.root(3), log.root(8)
    assert verify_inclusion(broken, 8, LEAVES[3], log.prove_inclusion(3, 8), new) is False
    assert verify_inclusion(3, broken, LEAVES[3], log.prove_inclusion(3, 8), new) is False
    assert verify_consistency(broken, 8, path, old, new) is False
    assert verify_consistency(3, broken, path, old, new) is False


@pytest.mark.parametrize("wire", [b"", bytes(7), bytes(9), (3).to_bytes(8, "big") + bytes(63)])
def test_a_cut_frontier_is_refused(wire: bytes) -> None:
    with pytest.raises(ValueError, match="frontier"):
        Frontier.of(wire)


def test_questions_beyond_the_log_are_refused(log: MerkleLog) -> None:
    for ask in (
        lambda: log.root(65),
        lambda: log.prove_inclusion(8, 8),
        lambda: log.prove_inclusion(-1),
        lambda: log.prove_inclusion(0, 65),
        lambda: log.prove_consistency(0, 8),
        lambda: log.prove_consistency(9, 8),
        lambda: log.prove_consistency(1, 65),
    ):
        with pytest.raises(ValueError):
            ask()


def test_perfect_subtrees_are_what_append_reports() -> None:
    frontier, nodes = Frontier(), {}
    for leaf in LEAVES:
        frontier, completed = frontier.append(leaf)
        nodes |= {(level, index): digest for level, index, digest in completed}
    assert len(nodes) == 127
    for (level, index), digest in nodes.items():
        assert digest == naive_root(LEAVES[index << level : (index + 1) << level])
    assert range_root(lambda level, index: nodes[level, index], 32, 45) == naive_root(LEAVES[32:45])
