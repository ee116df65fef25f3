"""Selector to method: the built-in table and the agents' own call interface, with its aliases.

Invariant: a selector names one method; building the table fails if two rows would share one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from streams.decoding.abi import Signature, parse_signature
from streams.decoding.agent_abi import CALL_INTERFACE, AgentMethod
from streams.decoding.methods import TABLE

AGENT_INTENTS = frozenset(method.intent for method in CALL_INTERFACE)


@dataclass(frozen=True)
class Method:
    """A known method. ``derived``: (slot, source) pairs, see ``streams.decoding.methods``."""

    signature: Signature
    intent: str
    derived: tuple[tuple[str, str], ...] = ()

    @property
    def of_agents(self) -> bool:
        """Whether it belongs to the agents' call interface."""
        return self.intent in AGENT_INTENTS


def parse_table(text: str) -> list[Method]:
    """Rows of ``intent | signature | derived slots``. Raises ValueError for a row that does not parse."""
    methods = []
    for line in filter(None, map(str.strip, text.splitlines())):
        intent, signature, derived = (part.strip() for part in line.split("|"))
        pairs = tuple((slot, source) for slot, _, source in (item.partition("=") for item in derived.split()))
        methods.append(Method(parse_signature(signature), intent, pairs))
    return methods


def _agent_method(method: AgentMethod) -> Method:
    bare = parse_signature(method.signature)
    named = ", ".join(f"{p.type} {name}" for p, name in zip(bare.parameters, method.names, strict=True))
    return Method(parse_signature(f"{bare.name}({named})"), method.intent)


def index(methods: Iterable[Method], aliases: Mapping[bytes, Method]) -> Mapping[bytes, Method]:
    """By selector. Raises ValueError if a selector would be taken twice."""
    table: dict[bytes, Method] = {}
    for selector, method in [*((m.signature.selector, m) for m in methods), *aliases.items()]:
        if selector in table:
            raise ValueError(f"selector {selector.hex()}: {table[selector].signature.canonical}, {method.signature.canonical}")
        table[selector] = method
    return MappingProxyType(table)


AGENT_TABLE: tuple[Method, ...] = tuple(map(_agent_method, CALL_INTERFACE))
ALIASES: Mapping[bytes, Method] = {
    bytes.fromhex(agent.alias): method for agent, method in zip(CALL_INTERFACE, AGENT_TABLE, strict=True) if agent.alias
}
METHODS: Mapping[bytes, Method] = index([*parse_table(TABLE), *AGENT_TABLE], ALIASES)
