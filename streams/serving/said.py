"""What a call of a client can say besides what it must: one typed dictionary a kind of call, for ``**said: Unpack[Said]``.

An agent is 0x-hex or 20 bytes, a memory id 0x-hex or 32 bytes. Invariant: every name here is a field of the request or a
parameter of the route, so a type checker refuses what a gateway would.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypedDict

from schemas.records import MemoryType

Name = str | bytes
Ends = Name | Iterable[Name] | Mapping[Name, int | None]
"""Memory ids, or for each since when it is not true any more; None: since the new one is."""


class Then(TypedDict, total=False):
    """The moment a read asks about (see ``streams.core.moment``)."""

    as_of_block: int | None
    as_of_time: int | None
    valid_at: int | None
    include_invalid: bool


class When(Then, total=False):
    """The moment, and what it waits for."""

    wait_for: str | None
    wait_for_block: int | str | None
    wait: float | None


class Noted(TypedDict, total=False):
    """What every command can say."""

    timestamp: int | None
    command_id: str | None
    wait: float


class Linked(TypedDict):
    """A link from the memory that is stored."""

    target: Name
    relation: str
    strength: float


class Said(Noted, total=False):
    """What a command can say of a memory."""

    type: MemoryType
    importance: float
    tags: Iterable[str]
    media_type: str | None
    subject: str | None
    predicate: str | None
    valid_from: int | None
    valid_to: int | None
    links: Iterable[Linked]


class Linking(Noted, total=False):
    """What can be said of a link."""

    strength: float


class Forgetting(TypedDict, total=False):
    """How a memory is forgotten."""

    command_id: str | None
    wait: float


class Budget(When, total=False):
    """What bounds an answer in words, and the moment it is of."""

    min_similarity: float | None
    max_tokens: int | None
    filter: Mapping[str, Any] | None
    order: str | None
    render: str | None
    truncate: bool | None


class Windowed(Budget, total=False):
    """What a question about an agent's own memories can say."""

    window: Mapping[str, Any] | None
    cursor: str | None


class Asking(Windowed, total=False):
    """The same, and whether every item is to be proven."""

    proofs: bool | None


class Wanting(When, total=False):
    """Which memories a list has."""

    types: Iterable[MemoryType]
    tags: Iterable[str]
    min_importance: float
    since: int | None
    until: int | None
    max_age: int | None
    limit: int
    amendments: bool
    order: Literal["newest", "oldest"] | None


class Waiting(TypedDict, total=False):
    """What a read waits for."""

    wait_for: str | None
    wait_for_block: int | str | None
    wait: float | None


class Stating(Waiting, total=False):
    """Which memories a state has."""

    types: Iterable[MemoryType]
    proofs: bool
    limit: int


class Replicating(Waiting, total=False):
    """Which page of what a replica needs."""

    since: int | None
    types: Iterable[MemoryType]
    cursor: str | None
    limit: int


class SessionTerms(TypedDict, total=False):
    """Terms of a session."""

    seconds: int | None
    max_memories: int | None
    collaborators: list[str] | None
    context: str | None
    goal: str | None
    promote: bool | None
    wait: float


class Opening(SessionTerms, total=False):
    """How a session is opened."""

    session_id: str | None


class Merging(TypedDict, total=False):
    """How sessions become one."""

    wait: float


class Closing(TypedDict, total=False):
    """How a session ends."""

    promote: bool | None
    wait: float


class Listing(When, total=False):
    """How much of a session is listed, as of when."""

    limit: int


class Taking(TypedDict, total=False):
    """How a package is taken in."""

    accept_unknown: bool
    from_agent: str | None
    wait: float


class Mattering(TypedDict, total=False):
    """How long a change of keys and grants is waited for."""

    wait: float


class Registering(Mattering, total=False):
    """How a key is registered."""

    issued: int | None


class Granting(Mattering, total=False):
    """How long a grant holds."""

    until: int | None


class SharedWanting(Then, total=False):
    """Which memories of another are listed."""

    tags: Iterable[str]
    limit: int


class SharedAsking(Then, total=False):
    """What a question about memories of others can say."""

    min_similarity: float | None
    max_tokens: int | None


class SharedSaid(TypedDict, total=False):
    """What can be said of a memory that is kept with another."""

    type: MemoryType
    importance: float
    tags: Iterable[str]
    command_id: str | None


class AsOf(TypedDict, total=False):
    """What the graph knew at a block or a time."""

    as_of_block: int | None
    as_of_time: int | None


class Counted(AsOf, total=False):
    """The same, and how many are listed."""

    limit: int


class Around(Counted, total=False):
    """The same, and how far from a node."""

    depth: int


class Capable(Counted, total=False):
    """The same, and what agents can do."""

    capability: str | None


class Patterned(Counted, total=False):
    """The same, and of which kind."""

    kind: str | None


class Ranked(Counted, total=False):
    """The same, and whom trust starts from."""

    seeds: Iterable[Name]
