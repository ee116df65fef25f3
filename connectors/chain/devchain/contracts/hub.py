"""The scripted agent hub: every method of the agent call interface, under its signature's selector and its short alias.

A hub knows no content ids of memories (they hold the hash of the block being built), so it accepts any id; whether an id
names a live memory is decided by whoever reads the chain.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from eth_hash.auto import keccak

from connectors.chain.devchain.contracts.abi import Frame, Log, Method, Revert, address_topic, event_topic
from streams.decoding.agent_abi import CALL_INTERFACE, AgentMethod

CALLED_TOPIC = event_topic("AgentCall(address,bytes4,bytes32)")
REGISTERED_TOPIC = event_topic("AgentRegistered(address,bytes32)")
COLLABORATION_TOPIC = event_topic("CollaborationRequested(address,address)")
BY_INTENT = {method.intent: method for method in CALL_INTERFACE}


def _register(frame: Frame, arguments: tuple[Any, ...]) -> list[Log]:
    (agent_id,) = arguments
    key = b"agent" + frame.sender
    if frame.ledger.slot(frame.contract, key):
        raise Revert("registered already")
    frame.ledger.write(frame.contract, key, int.from_bytes(agent_id, "big"))
    return [Log(frame.contract, (REGISTERED_TOPIC, address_topic(frame.sender)), agent_id)]


def _collaborate(frame: Frame, arguments: tuple[Any, ...]) -> list[Log]:
    peer, text = arguments
    topics = (COLLABORATION_TOPIC, address_topic(frame.sender), address_topic(peer))
    return [Log(frame.contract, topics, bytes(keccak(text.encode())))]


def _noted(method: AgentMethod) -> Method:
    tag = bytes.fromhex(method.alias or "").ljust(32, b"\0")

    def run(frame: Frame, arguments: tuple[Any, ...]) -> list[Log]:
        digest = bytes(keccak(repr(arguments).encode()))
        return [Log(frame.contract, (CALLED_TOPIC, address_topic(frame.sender), tag), digest)]

    return Method(method.signature, run, 9_000)


def _aliases(method: AgentMethod) -> tuple[bytes, ...]:
    return (bytes.fromhex(method.alias),) if method.alias else ()


def _methods() -> tuple[Method, ...]:
    special = {
        "register_agent": Method(BY_INTENT["register_agent"].signature, _register, 31_000),
        "collaborate": Method(BY_INTENT["collaborate"].signature, _collaborate, 12_000),
    }
    plain = (special.get(method.intent) or _noted(method) for method in CALL_INTERFACE)
    return tuple(replace(run, aliases=_aliases(method)) for run, method in zip(plain, CALL_INTERFACE, strict=True))


METHODS = _methods()
