"""What a transaction says of its sender's relations: the edges it adds to the knowledge graph.

Invariant: a pure function of the sender's record; the first relation is always that to whom the transaction was sent, so each
transaction has one. Every relation starts at the sender: what others did in the same transaction is theirs to tell. At most
MAX_RELATIONS, in log order. Records of counterparties say nothing, or a transaction would count twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from schemas.records import ChainTransaction, NodeKind, RelationKind
from streams.decoding.action import slot_text
from streams.decoding.calldata import decode_call
from streams.decoding.features import number
from streams.decoding.flows import net_flows
from streams.decoding.logs import MAX_EVENTS, Event, decode_logs
from streams.decoding.registries import Statement, statement_of
from streams.decoding.tokens import KNOWN_TOKENS, TokenTable

MAX_RELATIONS = 32
MICRO = 6
NATIVE_DECIMALS = 18
NOWHERE = bytes(20)
_SWAPS = frozenset({"SwapV2", "SwapV3"})
_ADDS = frozenset({"MintV2", "MintV3", "IncreaseLiquidity"})
_REMOVES = frozenset({"BurnV2", "BurnV3", "DecreaseLiquidity", "CollectV3"})
_COLLECTIBLES = frozenset({"TransferToken", "TransferSingle"})


@dataclass(frozen=True, slots=True)
class Relation:
    """``token`` None: the native coin. ``micros``: ``amount`` in millionths of a coin; None where nothing countable moved.

    ``event``: name of the event or call that says it, empty for the transaction itself; ``arguments``: its values as text.
    """

    kind: RelationKind
    target: bytes
    target_kind: NodeKind
    token: bytes | None = None
    amount: int | None = None
    micros: int | None = None
    event: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)


def micros_of(amount: int, chain_id: int, token: bytes | None, tokens: TokenTable = KNOWN_TOKENS) -> int:
    """Millionths of a coin, cut. A token nobody knows is taken to have 18 decimals, as most have."""
    known = None if token is None else tokens.get((chain_id, token))
    decimals = known.decimals if known else NATIVE_DECIMALS
    unit: int = 10 ** abs(decimals - MICRO)
    return amount * unit if decimals < MICRO else amount // unit


def identity_node(registry: bytes, agent_id: int) -> bytes:
    """The node of an identity: registry (20 bytes), number (32)."""
    return registry + agent_id.to_bytes(32, "big")


def relations_of(transaction: ChainTransaction) -> list[Relation]:
    """The relations of one record, the one to whom it was sent first."""
    if transaction["role"] != "SENDER":
        return []
    events = decode_logs(transaction["logs"])
    found = [_sent(transaction, events)]
    if transaction["status"] != 0:
        found += islice(_seen(transaction, events), MAX_RELATIONS - 1)
    return found


def _sent(transaction: ChainTransaction, events: list[Event]) -> Relation:
    to, wei = transaction["to"], number(transaction["value"])
    micros = micros_of(wei, transaction["chain_id"], None)
    if to is None:
        return Relation("INTERACTION", transaction["contract_address"] or NOWHERE, "CONTRACT", event="deploy")
    if not transaction["input"] and not transaction["logs"]:
        return Relation("TRANSFER", to, "ACCOUNT", None, wei, micros)
    call = decode_call(transaction["input"])
    name = call.method.signature.name if call else ""
    kind = _kind_of(to, events)
    return Relation("INTERACTION", to, kind, None, wei or None, micros if wei else None, name)


def _kind_of(contract: bytes, events: Iterable[Event]) -> NodeKind:
    names = {event.name for event in events if event.contract == contract}
    if names & (_SWAPS | {"SyncV2"}):
        return "POOL"
    return "TOKEN" if "Transfer" in names or names & _COLLECTIBLES else "CONTRACT"


def _seen(transaction: ChainTransaction, events: list[Event]) -> Iterator[Relation]:
    agent, chain_id = transaction["agent"], transaction["chain_id"]
    pools = {event.contract for event in events if event.name in _SWAPS | _ADDS | _REMOVES}
    gave = _given(transaction, events)
    for event in events:
        yield from _of_event(event, agent, chain_id, pools, gave)
    yield from _of_call(transaction)
    for statement in filter(None, map(statement_of, islice(transaction["logs"], MAX_EVENTS))):
        yield _of_statement(statement)


def _given(transaction: ChainTransaction, events: list[Event]) -> tuple[bytes | None, int] | None:
    """(token, amount) of what the sender gave, where that is one thing."""
    out = [(token, -net) for token, net in net_flows(events, transaction["agent"]).items() if net < 0]
    wei = number(transaction["value"])
    given: list[tuple[bytes | None, int]] = [*out, *([(None, wei)] if wei else [])]
    return given[0] if len(given) == 1 else None


def _of_event(
    event: Event, agent: bytes, chain_id: int, pools: set[bytes], gave: tuple[bytes | None, int] | None
) -> Iterator[Relation]:
    values = event.arguments
    if event.name == "Transfer" and values["sender"] == agent and values["recipient"] not in {agent, NOWHERE, *pools}:
        amount = values["amount"]
        counted = micros_of(amount, chain_id, event.contract)
        yield Relation("TRANSFER", values["recipient"], "ACCOUNT", event.contract, amount, counted, event.name)
    elif event.name in _COLLECTIBLES and values["sender"] != NOWHERE:
        kind: RelationKind = "TRANSFER" if values["sender"] == agent else "INTERACTION"
        told = {"token_id": str(values["token_id"]), "recipient": slot_text(values["recipient"])}
        yield Relation(kind, values["recipient"], "ACCOUNT", event.contract, event=event.name, arguments=told)
    elif event.name in _SWAPS:
        token, amount = gave or (None, None)
        micros = micros_of(amount, chain_id, token) if amount is not None else None
        yield Relation("SWAP", event.contract, "POOL", token, amount, micros, event.name)
    elif event.name in _ADDS | _REMOVES:
        told = {"action": "add" if event.name in _ADDS else "remove"}
        yield Relation("LIQUIDITY_PROVISION", event.contract, "POOL", event=event.name, arguments=told)
    elif event.name == "DelegateChanged" and values["delegator"] == agent and values["delegate"] != agent:
        yield Relation("DELEGATION", values["delegate"], "ACCOUNT", event.contract, event=event.name)


def _of_call(transaction: ChainTransaction) -> Iterator[Relation]:
    call = decode_call(transaction["input"]) if transaction["to"] else None
    if call is not None and call.method.signature.name == "collaborate":
        yield Relation("INTERACTION", call.arguments["peer"], "ACCOUNT", event="collaborate")


def _of_statement(statement: Statement) -> Relation:
    told = {"registry": slot_text(statement.registry), "agent_id": str(statement.agent_id)}
    told |= {name: slot_text(value) for name, value in statement.arguments.items() if not name.startswith("hashed_")}
    node = identity_node(statement.registry, statement.agent_id)
    return Relation(statement.kind, node, "IDENTITY", event=statement.event, arguments=told)
