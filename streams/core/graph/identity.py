"""Identities and their feedback, folded from what registries said, in canonical order.

Assumes each statement is one that the contract ``registry`` emitted; which contracts are believed is the caller's choice.
Bounded whatever was said: MAX_METADATA keys an identity, MAX_CAPABILITIES words. A statement that does not fit is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from streams.core.graph.tally import SCALE

MAX_METADATA = 32
MAX_CAPABILITIES = 32
MAX_WORD = 64
_URI_EVENTS = frozenset({"Registered", "URIUpdated", "UriUpdated"})


class Said(NamedTuple):
    """One statement. ``token``: emitter of a token's transfer, which is a statement if an identity is the token."""

    event: str
    arguments: Mapping[str, str]
    token: bytes | None = None


class Name(NamedTuple):
    """What an identity is called."""

    registry: bytes
    agent_id: int


@dataclass(frozen=True, slots=True)
class Identity:
    """``wallet``: address that acts for it, where that is said."""

    name: Name
    owner: bytes | None = None
    uri: str = ""
    wallet: bytes | None = None
    metadata: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def capabilities(self) -> list[str]:
        """Words between commas of the metadata ``capabilities``."""
        try:
            words = self.metadata.get("capabilities", b"").decode().split(",")
        except UnicodeDecodeError:
            return []
        return [word for word in dict.fromkeys(word.strip()[:MAX_WORD] for word in words) if word][:MAX_CAPABILITIES]


@dataclass(slots=True)
class Feedback:
    """``standing``: (client, index) to value, of what was given and not revoked. Values in units of 1e-12: the draft's scores
    as parts of 100, later ones as given, value / 10^decimals.
    """

    standing: dict[tuple[str, int], int] = field(default_factory=dict)
    given: dict[str, int] = field(default_factory=dict)
    revoked: int = 0
    responses: int = 0

    @property
    def mean(self) -> int | None:
        """Mean of the standing values; None without any."""
        return sum(self.standing.values()) // len(self.standing) if self.standing else None

    @property
    def clients(self) -> int:
        """Who gave what stands."""
        return len({client for client, _ in self.standing})


def name_of(said: Said) -> Name | None:
    """Which identity a statement is about."""
    try:
        if said.token is not None:
            return Name(said.token, int(said.arguments["token_id"]))
        return Name(_bytes(said.arguments["registry"]), int(said.arguments["agent_id"]))
    except (KeyError, ValueError):
        return None


def identities(statements: Iterable[Said]) -> dict[Name, Identity]:
    """All identities spoken of, in order of the newest word about each. Transfers of other tokens are passed over."""
    found: dict[Name, Identity] = {}
    for said in statements:
        name = name_of(said)
        if name is None or (said.token is not None and name not in found):
            continue
        before = found.pop(name, None) or Identity(name)
        found[name] = _amended(before, said)
    return found


def _amended(identity: Identity, said: Said) -> Identity:
    values = said.arguments
    try:
        if said.token is not None:
            return replace(identity, owner=_bytes(values["recipient"]), wallet=None)  # the standard clears it on a transfer
        if said.event == "Registered":
            return replace(identity, owner=_bytes(values["owner"]), uri=values["uri"])
        if said.event in _URI_EVENTS:
            return replace(identity, uri=values["uri"])
        if said.event == "MetadataSet":
            return _described(identity, values["key"], _bytes(values["value"]))
    except (KeyError, ValueError):
        pass
    return identity


def _described(identity: Identity, key: str, value: bytes) -> Identity:
    if key == "agentWallet":
        return replace(identity, wallet=value[-20:] if len(value) in {20, 32} else None)
    if key not in identity.metadata and len(identity.metadata) >= MAX_METADATA:
        return identity
    return replace(identity, metadata={**identity.metadata, key: value})


def feedback(statements: Iterable[Said]) -> dict[Name, Feedback]:
    """What clients said of identities. Where an event has no index, it is the next of that client, from 1."""
    found: dict[Name, Feedback] = {}
    for said in statements:
        name = name_of(said) if said.event in {"NewFeedback", "FeedbackRevoked", "ResponseAppended"} else None
        if name is None or said.token is not None:
            continue
        of = found.setdefault(name, Feedback())
        try:
            client = said.arguments["client"]
            if said.event == "NewFeedback":
                count = of.given[client] = of.given.get(client, 0) + 1
                of.standing[client, int(said.arguments.get("index", count))] = _value(said.arguments)
            elif said.event == "ResponseAppended":
                of.responses += 1
            elif of.standing.pop((client, int(said.arguments["index"])), None) is not None:
                of.revoked += 1
        except (KeyError, ValueError):
            continue
    return found


def _value(arguments: Mapping[str, str]) -> int:
    value = int(arguments["value"])
    if "decimals" not in arguments:
        return value * SCALE // 100
    unit: int = 10 ** int(arguments["decimals"])
    return value * SCALE // unit


def _bytes(text: str) -> bytes:
    if not text.startswith("0x"):
        raise ValueError(text)
    return bytes.fromhex(text[2:])
