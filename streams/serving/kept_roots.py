"""The history of roots in a file of the gateway's state folder, so that a new process goes on with it.

memory.roots is compacted: what a process has not seen there, another never will. Invariants: the file is there whole or not at
all; one that is damaged, of another form, or of a topic that was made anew counts as none. That a topic was is known where it
ends before what was read of it, or has another record where one of the newest ``WITNESSES`` of a partition lay. What was
written to the topic after the file is read from there again, and counts as seen with a gap in front of it.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from blake3 import blake3

from streams.core.block import BlockRef
from streams.private_file import replace_whole
from streams.serving.root import Root
from streams.serving.root_history import Seen

FORM = 1
WITNESSES = 64
"""Records of each partition that tell the topic from one that was made anew."""
LEFTOVER_SECONDS = 3_600.0
"""Age of what a process that ended while it wrote the file has left beside it."""
_log = logging.getLogger(__name__)


@dataclass
class Places:
    """How far each partition was read, and digests of its newest records by offset."""

    positions: dict[int, int] = field(default_factory=dict)
    witnesses: dict[int, dict[int, bytes]] = field(default_factory=dict)

    def known(self, partition: int, offset: int) -> bool:
        """Whether what lies there was taken in."""
        return offset < self.positions.get(partition, 0)

    def contradicted(self, partition: int, offset: int, digest: bytes) -> bool:
        """Whether another record lay there."""
        return self.witnesses.get(partition, {}).get(offset, digest) != digest

    def beyond(self, ends: Mapping[int, int]) -> bool:
        """Whether a place was read that is not in the topic, which ends at ``ends``."""
        return any(position > ends.get(partition, 0) for partition, position in self.positions.items())

    def copy(self) -> Places:
        """As they are now."""
        return Places(dict(self.positions), {partition: dict(newest) for partition, newest in self.witnesses.items()})

    def note(self, partition: int, offset: int, digest: bytes) -> None:
        """The next record of a partition."""
        self.positions[partition] = offset + 1
        newest = self.witnesses.setdefault(partition, {})
        newest[offset] = digest
        if len(newest) > WITNESSES:
            del newest[next(iter(newest))]


def digest_of(key: bytes, value: bytes | None) -> bytes:
    """Names a record."""
    return blake3(len(key).to_bytes(4, "big") + key + (b"" if value is None else b"\x01" + value)).digest(length=16)


Kept = tuple[Places, list[tuple[bytes, list[Seen[Root]]]]]
"""Where reading was, and roots by agent, the one that changed least recently first."""


def packed(places: Places, agents: Iterable[tuple[bytes, list[Seen[Root]]]]) -> bytes:
    """The file's bytes."""
    said = {
        "form": FORM,
        "positions": [[partition, position] for partition, position in places.positions.items()],
        "witnesses": [
            [partition, [[offset, digest.hex()] for offset, digest in newest.items()]]
            for partition, newest in places.witnesses.items()
        ],
        "agents": [[agent.hex(), [[seen.live, _packed_root(seen.root)] for seen in roots]] for agent, roots in agents],
    }
    body = orjson.dumps(said)
    return blake3(body).hexdigest().encode() + b"\n" + body


def write(path: Path, content: bytes) -> None:
    """Replaces the file. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_whole(path, content)
    for other in path.parent.glob(f"{path.name}?*"):  # a live one is younger: a gateway of the same folder may be writing it
        with contextlib.suppress(FileNotFoundError):
            if time.time() - other.stat().st_mtime > LEFTOVER_SECONDS:
                other.unlink()


def read(path: Path) -> Kept | None:
    """What was kept; None if there is nothing that can be read."""
    try:
        digest, _, body = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        _log.warning("%s cannot be read, roots begin anew: %s", path, error.strerror)
        return None
    if digest.decode(errors="replace") != blake3(body).hexdigest() or (said := orjson.loads(body))["form"] != FORM:
        _log.warning("%s is damaged or of another version, roots begin anew", path)
        return None
    return _unpacked(said)


def _unpacked(said: Mapping[str, Any]) -> Kept:
    witnesses = {part: {offset: bytes.fromhex(name) for offset, name in newest} for part, newest in said["witnesses"]}
    agents = [
        (agent, [_seen(agent, live, root) for live, root in roots])
        for agent, roots in ((bytes.fromhex(name), roots) for name, roots in said["agents"])
    ]
    return Places(dict(said["positions"]), witnesses), agents


def _seen(agent: bytes, live: bool, fields: list[Any] | None) -> Seen[Root]:
    if fields is None:
        return Seen(None, live)
    count, checksum, merkle_root, block = fields
    ref = None if block is None else BlockRef(block[0], bytes.fromhex(block[1]), bytes.fromhex(block[2]))
    root = Root(agent, count, bytes.fromhex(checksum), bytes.fromhex(merkle_root), ref)
    return Seen(root, live, None if ref is None else ref.number)


def _packed_root(root: Root | None) -> list[Any] | None:
    if root is None:
        return None
    block = None if root.block is None else [root.block.number, root.block.hash.hex(), root.block.parent.hex()]
    return [root.count, root.checksum.hex(), root.merkle_root.hex(), block]
