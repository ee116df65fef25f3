"""One event of graph.edges as the gateway holds it, and which contracts are believed about identities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from sys import intern
from typing import NamedTuple

from schemas.codec import SchemaError, codec
from schemas.records import GraphEdge, StandingRecord
from streams.core.graph.identity import Said
from streams.core.graph.snapshot import Kind, NodeKind
from streams.core.graph.standing import Standing
from streams.core.graph.tally import Tally
from streams.errors import ConfigurationError
from streams.serving.addresses import ADDRESS_BYTES

STATEMENTS = frozenset({"IDENTITY", "FEEDBACK", "VALIDATION"})


class Event(NamedTuple):
    """Sorts in canonical order. ``standing``: of the source, with ordinal 0."""

    number: int
    position: int
    ordinal: int
    id: bytes
    block_hash: bytes
    source: bytes
    target: bytes
    kind: Kind
    target_kind: NodeKind
    timestamp: int
    succeeded: bool
    gas: int
    tally: Tally
    standing: Standing | None
    said: Said | None

    @property
    def edge(self) -> tuple[Kind, bytes]:
        """Names the edge among those of its source."""
        return self.kind, self.target


@dataclass(frozen=True)
class Registries:
    """Contracts believed: of each, the identity registry it belongs to (of an identity registry, itself)."""

    identity_of: Mapping[bytes, bytes]

    @classmethod
    def parse(cls, rows: Iterable[str]) -> Registries:
        """From rows of addresses with colons between them, the identity registry first. Raises ConfigurationError."""
        found: dict[bytes, bytes] = {}
        for row in rows:
            addresses = [_address(text.strip()) for text in row.split(":")]
            if any(len(address) != ADDRESS_BYTES for address in addresses):
                raise ConfigurationError(
                    f"graph.registries: {row!r} is not a row of addresses",
                    "A row: IDENTITY:REPUTATION:VALIDATION, each 0x and 40 hex digits; the last two may be left out.",
                )
            found |= dict.fromkeys(addresses, addresses[0])
        return cls(found)

    def believed(self, row: GraphEdge) -> Said | None:
        """What a row says of an identity, if a contract said it that is believed."""
        if row["kind"] in STATEMENTS:
            home = self.identity_of.get(_address(row["arguments"].get("registry", "")))
            return None if home is None else Said(row["event"], {**row["arguments"], "registry": f"0x{home.hex()}"})
        if row["event"] == "TransferToken" and row["token"] is not None and self.identity_of.get(row["token"]) == row["token"]:
            return Said(row["event"], row["arguments"], row["token"])
        return None


def _address(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        return b""


def event_of(key: bytes, value: bytes, registries: Registries) -> Event:
    """The event of one record. Raises SchemaError if it is none, or not this key's."""
    name, row = codec().decode(value)
    if name != "GraphEdge" or row["source"] + row["id"] != key:
        raise SchemaError(f"a {name} that is not this key's event")
    return _event(row, registries)


def _event(row: GraphEdge, registries: Registries) -> Event:
    tally = Tally(
        row["events"], int.from_bytes(row["volume"], "big"), row["weight"], row["strength"], row["first"], row["timestamp"]
    )
    return Event(
        number=row["block"]["number"],
        position=row["transaction_index"],
        ordinal=row["ordinal"],
        id=row["id"],
        block_hash=row["block"]["hash"],
        source=row["source"],
        target=row["target"],
        kind=intern(row["kind"]),  # type: ignore[arg-type]
        target_kind=intern(row["target_kind"]),  # type: ignore[arg-type]
        timestamp=row["timestamp"],
        succeeded=row["succeeded"],
        gas=row["gas_used"],
        tally=tally,
        standing=_standing(row["standing"]) if row["standing"] else None,
        said=registries.believed(row),
    )


def _standing(row: StandingRecord) -> Standing:
    return Standing(**{**row, "volume": int.from_bytes(row["volume"], "big")})  # type: ignore[arg-type]
