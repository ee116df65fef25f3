"""Order per key: within what stands, records of a key come in the order of their causes."""

from __future__ import annotations

from collections.abc import Iterator

from tests.checker.anomaly import Anomaly
from tests.checker.history import History
from tests.checker.standing import fold


def key_order(history: History) -> Iterator[Anomaly]:
    """Two records of one key stand in a partition in another order than their ``order`` says; or a key is in two partitions."""
    home: dict[tuple[str, str], int] = {}
    for place, items in history.logs.items():
        last: dict[str, tuple[tuple[int, ...], str]] = {}
        for entry in fold(items).entries:
            if entry.key is None:
                continue
            if home.setdefault((place.topic, entry.key), place.partition) != place.partition:
                yield Anomaly("key order", str(place), f"key {entry.key} is in partition {home[place.topic, entry.key]} too")
            if entry.order is None:
                continue
            before = last.get(entry.key)
            if before is not None and entry.order < before[0]:
                yield Anomaly("key order", str(place), f"{entry.id} at {entry.offset} comes behind {before[1]}, its elder")
            last[entry.key] = entry.order, entry.id
