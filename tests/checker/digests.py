"""Digest mismatch: those who keep the same state disagree on it."""

from __future__ import annotations

from collections.abc import Iterator

from tests.checker.anomaly import Anomaly
from tests.checker.events import Digest
from tests.checker.history import History


def digest_mismatches(history: History) -> Iterator[Anomaly]:
    """Two digests of one subject at one block differ: replicas, checkpoints before and after a rewind, the oracle."""
    first: dict[tuple[str, str], Digest] = {}
    for digest in history.of(Digest):
        other = first.setdefault((digest.subject, digest.block), digest)
        if other.value != digest.value:
            what = f"at {digest.block} {other.source} has {other.value[:16]}, {digest.source} has {digest.value[:16]}"
            yield Anomaly("digest mismatch", digest.subject, what)
