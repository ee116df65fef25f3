"""Who may write: of several owners of a lane only the newest, in whatever process the others wake up.

Milvus has no transaction that could check an owner, but names: an owner writes through an alias of the collection that is its
own, and who takes the lane over drops it. A write under a dropped alias the server refuses; one it had taken in before has an
earlier timestamp than anything the new owner writes, so that the new owner's word on a row is the last one.
Invariant: when ``claim`` returns, no other alias of the lane is left that is older, and its name is greater than theirs.
"""

from __future__ import annotations

import secrets
from typing import Any

from blake3 import blake3

from connectors.stores.milvus.client import NOT_FOUND, TIMEOUT, code_of
from streams.errors import FencedError

ALIAS_NOT_FOUND = 1600
"""The server's code."""


def claim(client: Any, collection: str, lane: bytes) -> str:
    """Takes the lane over; the alias to write through. Raises FencedError if another did so at the same time."""
    prefix = f"{collection}_lane_{blake3(lane).hexdigest(length=8)}_"
    number = max((int(name[len(prefix) :].partition("_")[0]) for name in _aliases(client, collection, prefix)), default=0)
    own = f"{prefix}{number + 1:010d}_{secrets.token_hex(4)}"
    client.create_alias(collection, own, timeout=TIMEOUT)
    for other in _aliases(client, collection, prefix):
        if other < own:
            _drop(client, other)
    if max(_aliases(client, collection, prefix), default="") != own:
        raise fenced(lane)
    return own


def fenced(lane: bytes) -> FencedError:
    """What a former owner is told."""
    return FencedError(f"lane {lane.decode()} of the vectors has a newer owner", "Another worker took this partition over.")


def _aliases(client: Any, collection: str, prefix: str) -> list[str]:
    names: list[str] = client.list_aliases(collection, timeout=TIMEOUT)["aliases"]
    return [name for name in names if name.startswith(prefix)]


def _drop(client: Any, alias: str) -> None:
    try:
        client.drop_alias(alias, timeout=TIMEOUT)
    except Exception as error:
        if code_of(error) not in (NOT_FOUND, ALIAS_NOT_FOUND):  # another claimant was faster
            raise
