"""Who needs whom in the pipeline, from the topic map and from what stream agents declare. Pure.

A stream agent needs whoever writes the topic that carries its markers, and the stores it writes to; records of its other inputs
may come or not. The gateway needs whoever writes what it reads, and the stores, and whoever fills them. All need the broker and
their disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from streams.agents.base import StreamAgent
from streams.settings import GATEWAY, PRODUCER
from streams.topics import TOPICS, TopicSpec

BROKER, NODE, DISK, FOLDERS = "broker", "node", "disk", "store_folders"


def needs_of(
    specs: Iterable[type[StreamAgent]],
    stores: Mapping[str, str],
    own: Mapping[str, Iterable[str]] = MappingProxyType({}),
    topics: Mapping[str, TopicSpec] = TOPICS,
) -> dict[str, set[str]]:
    """``stores``: components that the outside stores are, by what stream agents call them; ``own``: parts of the gateway,
    with what each needs.
    """
    specs = list(specs)
    programs = {PRODUCER, GATEWAY, *(spec.name for spec in specs)}
    needs: dict[str, set[str]] = {PRODUCER: {BROKER, NODE, DISK}}
    for spec in specs:
        writer = topics[spec.inputs[0]].writer
        needs[spec.name] = {BROKER, DISK, FOLDERS, *({writer} & programs), *(stores[store] for store in spec.stores)} - {
            spec.name
        }
    read = {spec.writer for spec in topics.values() if GATEWAY in spec.readers} & programs
    fills = {spec.name for spec in specs if spec.stores}
    needs |= {part: set(needed) for part, needed in own.items()}
    needs[GATEWAY] = {BROKER, DISK, *read, *fills, *stores.values(), *own} - {GATEWAY}
    return needs
