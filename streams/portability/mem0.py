"""mem0's JSON: what ``get_all`` and ``search`` return and its exports hold, a list of memories, bare or under ``results``.

A memory becomes a SEMANTIC one with mem0's times; its user, run and categories become tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from streams.portability.errors import PackageError
from streams.portability.foreign import ALL, Entry, Reading, objects, reading, seconds, text

PRODUCT = "mem0"
NAMES = ("user_id", "agent_id", "run_id", "app_id", "actor_id")


def sniff(said: object) -> bool:
    """Whether a JSON document is mem0's."""
    found = _list(said)
    return isinstance(found, list) and bool(found) and all(map(_is_memory, found))


def _is_memory(item: object) -> bool:
    return isinstance(item, Mapping) and isinstance(item.get("memory"), str)


def read(said: Any, agent: bytes, chosen: str | None = None) -> Reading:
    """``chosen``: only memories with this user, agent, run, app or actor. Raises PackageError if it is not mem0's."""
    if not sniff(said):
        raise PackageError(
            "the file is not what mem0 exports", "It is a list of objects with a memory each, or has one under results."
        )
    items = objects(_list(said), "results")
    if chosen not in (None, ALL):
        items = [item for item in items if any(item.get(name) == chosen for name in NAMES)]
        if not items:
            raise PackageError(f"no memory of the file is of {(chosen or '')[:80]!r}", f"Names stand in {', '.join(NAMES)}.")
    return reading(PRODUCT, agent, _entries(items))


def _list(said: object) -> Any:
    return said.get("results") or said.get("memories") if isinstance(said, Mapping) else said


def _entries(items: list[dict[str, Any]]) -> Iterator[Entry]:
    for number, item in enumerate(items):
        metadata: Any = item.get("metadata") if isinstance(item.get("metadata"), Mapping) else {}
        categories: Any = item.get("categories") if isinstance(item.get("categories"), list) else []
        tags = [f"{name.removesuffix('_id')}:{item[name]}" for name in NAMES if isinstance(item.get(name), str)]
        tags += [text(category) for category in categories]
        tags += [f"{text(key)}:{value}" for key, value in sorted(metadata.items()) if isinstance(value, (str, int, float))]
        yield Entry(
            text(item.get("id")) or str(number),
            text(item["memory"]).strip().encode(),
            "SEMANTIC",
            tuple(tags),
            seconds(item.get("updated_at") or item.get("created_at")),
        )
