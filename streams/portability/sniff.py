"""Tells what a file is and reads it: a package of ours in either form, or another product's memories."""

from __future__ import annotations

from streams.portability import container, foreign, letta, lines, mem0, reference
from streams.portability.envelope import LARGEST, opened
from streams.portability.errors import PackageError
from streams.portability.foreign import Reading, expanded, json_of
from streams.portability.package import Package

FORMATS = "a package of this product (JSON lines or Avro), the reference design's JSON, a Letta .af file, or mem0's JSON"
_MANIFEST = b'{"manifest":'


def read_any(
    data: bytes, agent: bytes | None = None, passphrase: str | None = None, *, chosen: str | None = None, most: int = LARGEST
) -> Package | Reading:
    """The package, or the memories of another product as those of ``agent``.

    ``chosen``: whose memories of another product's file, where it says whose they are; ``most``: bytes that it may expand to.
    Raises PackageError.
    """
    with opened(data, passphrase, most) as content:
        start = content.peek(len(_MANIFEST))
        if start.startswith(container.MAGIC):
            return container.read_from(content)
        if start.startswith(_MANIFEST):
            return lines.read_from(content)
        document = content.read(foreign.LONGEST_DOCUMENT + 1)
    said = json_of(expanded(document, min(foreign.LONGEST_DOCUMENT, most)))
    for sniff, read in ((letta.sniff, letta.read), (reference.sniff, reference.read), (mem0.sniff, mem0.read)):
        if sniff(said):
            if agent is None:
                raise PackageError("the file does not say whose memories these are", "Name the agent.")
            return read(said, agent, chosen)
    raise PackageError("nobody here knows this file", f"It should be {FORMATS}.")
