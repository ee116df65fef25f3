"""Shapes of exports and imports."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from streams.serving.wire.base import Answer, Wire


class PackageView(Answer):
    """A package. ``package_base64``: the file; ``digest``: names its content; ``manifest``: what it says of itself."""

    agent: str
    format: str
    digest: str
    count: int
    manifest: dict[str, Any]
    package_base64: str


class ImportRequest(Wire):
    """A file to take in: a package of this product, the reference design's JSON, a Letta .af file, or mem0's JSON."""

    package_base64: str = Field(min_length=1, description="The file, in base64.")
    accept_unknown: bool = Field(False, description="Take a package that no trusted key has signed; its sources stay claims.")


class ImportView(Answer):
    """What an import did. ``restored``: a trusted key attested the package, so its memories are what they were."""

    agent: str
    product: str
    digest: str
    count: int
    skipped: int
    restored: bool
    visible: bool
