"""Shapes of exports and imports."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from streams.serving.wire.base import WAIT_LIMIT, Answer, Wire

ACCEPT_UNKNOWN = "Take a package that no trusted key has signed; its sources stay claims."
FROM_AGENT = (
    "Whose memories of another product's file to take, as the file names them: it may hold several, or another's. *: all."
)


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
    accept_unknown: bool = Field(False, description=ACCEPT_UNKNOWN)
    from_agent: str | None = Field(None, min_length=1, max_length=256, description=FROM_AGENT)


class ImportTerms(Wire):
    """What is said of a file that is sent as it is."""

    accept_unknown: bool = Field(False, description=ACCEPT_UNKNOWN)
    from_agent: str | None = Field(None, min_length=1, max_length=256, description=FROM_AGENT)
    wait: float = Field(0, ge=0, le=WAIT_LIMIT, description="Seconds to wait until reads show all of it.")


class ImportView(Answer):
    """What an import did. ``restored``: a trusted key attested the package, so its memories are what they were."""

    agent: str
    product: str
    digest: str
    count: int
    skipped: int
    restored: bool
    visible: bool
