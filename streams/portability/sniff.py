"""Tells what a file is and reads it: a package of ours in either form, or another product's memories."""

from __future__ import annotations

from streams.portability import container, letta, lines, mem0, reference
from streams.portability.envelope import opened
from streams.portability.errors import PackageError
from streams.portability.foreign import Reading, json_of
from streams.portability.package import Package

FORMATS = "a package of this product (JSON lines or Avro), the reference design's JSON, a Letta .af file, or mem0's JSON"


def read_any(data: bytes, agent: bytes | None = None, passphrase: str | None = None) -> Package | Reading:
    """The package, or the memories of another product as those of ``agent``. Raises PackageError."""
    content = opened(data, passphrase)
    if content.startswith(container.MAGIC):
        return container.read(content)
    if content.startswith(b'{"manifest":'):
        return lines.read(content)
    content = reference.expanded(content)
    said = json_of(content)
    for sniff, read in ((letta.sniff, letta.read), (reference.sniff, reference.read), (mem0.sniff, mem0.read)):
        if sniff(said):
            if agent is None:
                raise PackageError("the file does not say whose memories these are", "Name the agent.")
            return read(content, agent)
    raise PackageError("nobody here knows this file", f"It should be {FORMATS}.")
