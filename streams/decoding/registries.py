"""Events of ERC-8004 registries: identity, reputation, validation.

Signatures as deployed in January 2026 ("v1") and, where they differ, of the October 2025 draft ("draft"), which stays in use on
test networks. Any contract can emit any event: a statement names the contract, and who reads decides which contracts count.
Invariant: a statement is returned only for a log that is the strict encoding of its event; everything else is None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from schemas.records import Log
from streams.decoding.abi import Parameter, parse_signature
from streams.decoding.logs import arguments_of

_TABLE = """
IDENTITY   | Registered(uint256 indexed agent_id, string uri, address indexed owner)
IDENTITY   | URIUpdated(uint256 indexed agent_id, string uri, address indexed by)
IDENTITY   | UriUpdated(uint256 indexed agent_id, string uri, address indexed by)
IDENTITY   | MetadataSet(uint256 indexed agent_id, string indexed hashed_key, string key, bytes value)
FEEDBACK   | NewFeedback(uint256 indexed agent_id, address indexed client, uint64 index, int128 value, uint8 decimals, string indexed hashed_tag, string tag, string tag2, string endpoint, string uri, bytes32 hash)
FEEDBACK   | NewFeedback(uint256 indexed agent_id, address indexed client, uint64 index, uint8 value, string indexed hashed_tag, string tag2, string endpoint, string uri, bytes32 hash)
FEEDBACK   | NewFeedback(uint256 indexed agent_id, address indexed client, uint8 value, bytes32 indexed tag, bytes32 tag2, string uri, bytes32 hash)
FEEDBACK   | FeedbackRevoked(uint256 indexed agent_id, address indexed client, uint64 indexed index)
FEEDBACK   | ResponseAppended(uint256 indexed agent_id, address indexed client, uint64 index, address indexed responder, string uri, bytes32 hash)
FEEDBACK   | ResponseAppended(uint256 indexed agent_id, address indexed client, uint64 index, address indexed responder, string uri)
VALIDATION | ValidationRequest(address indexed validator, uint256 indexed agent_id, string uri, bytes32 indexed request)
VALIDATION | ValidationResponse(address indexed validator, uint256 indexed agent_id, bytes32 indexed request, uint8 response, string uri, bytes32 hash, string tag)
VALIDATION | ValidationResponse(address indexed validator, uint256 indexed agent_id, bytes32 indexed request, uint8 response, string uri, bytes32 hash, bytes32 tag)
"""  # noqa: E501  one event a line reads as a table
"""v1 first, then the drafts. That an identity changes hands is ERC-721's ``Transfer``, which ``relations`` reads."""


StatementKind = Literal["IDENTITY", "FEEDBACK", "VALIDATION"]
_KINDS: tuple[StatementKind, ...] = ("IDENTITY", "FEEDBACK", "VALIDATION")


@dataclass(frozen=True, slots=True)
class Statement:
    """``event``: its name; ``registry``: the contract that emitted it."""

    kind: StatementKind
    event: str
    registry: bytes
    agent_id: int
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class _Form:
    kind: StatementKind
    event: str
    indexed: tuple[Parameter, ...]
    plain: tuple[Parameter, ...]


def _hashed(parameter: Parameter) -> Parameter:
    """What lies in a topic: the value, or the hash of one that does not fit."""
    return Parameter("bytes32", parameter.name) if parameter.dynamic else parameter


def _index() -> dict[tuple[bytes, int], _Form]:
    forms: dict[tuple[bytes, int], _Form] = {}
    for line in filter(None, map(str.strip, _TABLE.splitlines())):
        kind, _, rest = line.partition("|")
        signature = parse_signature(rest.strip())
        indexed = tuple(_hashed(p) for p in signature.parameters if p.indexed)
        plain = tuple(p for p in signature.parameters if not p.indexed)
        forms[signature.hash, 1 + len(indexed)] = _Form(_KINDS[_KINDS.index(kind.strip())], signature.name, indexed, plain)
    return forms


_FORMS = _index()


def statement_of(log: Log) -> Statement | None:
    """The statement ``log`` makes, if it is one."""
    topics = log["topics"]
    form = _FORMS.get((topics[0], len(topics))) if topics else None
    arguments = None if form is None else arguments_of(log, form.indexed, form.plain)
    if form is None or arguments is None:
        return None
    return Statement(form.kind, form.event, log["address"], arguments.pop("agent_id"), arguments)
