"""Records of graph.edges and agents.registry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from schemas.records import AgentIdentity, AgentProfile, ChainTransaction, GraphEdge, StandingRecord
from streams.agents.graph.books import Page
from streams.core.graph.identity import Said, identities
from streams.core.graph.snapshot import OTHERS
from streams.core.graph.standing import Standing, specialisation
from streams.core.graph.tally import Tally
from streams.decoding.relations import Relation

MAX_IDENTITIES = 64


def _unsigned(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def standing_record(standing: Standing) -> StandingRecord:
    """The Avro form."""
    return {
        "transactions": standing.transactions,
        "failures": standing.failures,
        "whale": standing.whale,
        "complex_ops": standing.complex_ops,
        "gas": standing.gas,
        "volume": _unsigned(standing.volume),
        "reputation": standing.reputation,
        "first": standing.first,
        "last": standing.last,
    }


class Place(NamedTuple):
    """What names an event. ``target``: the relation's, or OTHERS."""

    event: bytes
    ordinal: int
    target: bytes


def edge_record(transaction: ChainTransaction, relation: Relation, place: Place, tally: Tally, standing: Standing) -> GraphEdge:
    """One event. ``tally`` and ``standing``: after it, and after its transaction."""
    event, ordinal, target = place
    return {
        "id": event,
        "source": transaction["agent"],
        "target": target,
        "kind": relation.kind,
        "target_kind": "OTHERS" if target == OTHERS else relation.target_kind,
        "block": transaction["block"],
        "timestamp": transaction["timestamp"],
        "transaction": transaction["hash"],
        "transaction_index": transaction["index"],
        "ordinal": ordinal,
        "succeeded": transaction["status"] != 0,
        "gas_used": transaction["gas_used"],
        "token": relation.token,
        "amount": None if relation.amount is None else _unsigned(relation.amount),
        "event": relation.event,
        "arguments": dict(relation.arguments),
        "events": tally.events,
        "volume": _unsigned(tally.volume),
        "weight": tally.weight,
        "strength": tally.strength,
        "first": tally.first,
        "standing": standing_record(standing) if ordinal == 0 else None,
    }


def profile_record(agent: bytes, page: Page, statements: Iterable[Said]) -> AgentProfile:
    """An agent's row. ``statements``: its newest in registries, oldest first."""
    found = list(identities(statements).values())[-MAX_IDENTITIES:]
    known: list[AgentIdentity] = [
        {
            "registry": identity.name.registry,
            "agent_id": _unsigned(identity.name.agent_id),
            "owner": identity.owner,
            "uri": identity.uri,
            "wallet": identity.wallet,
        }
        for identity in found
    ]
    capabilities = sorted({word for identity in found for word in identity.capabilities})[:MAX_IDENTITIES]
    return {
        "agent": agent,
        "block": page.block.record(),  # type: ignore[typeddict-item]
        "standing": standing_record(page.standing),
        "specialisation": specialisation(page.standing),
        "edges": page.edges,
        "identities": known,
        "capabilities": capabilities,
        "feedback_given": page.feedback,
        "anps": None,
    }
