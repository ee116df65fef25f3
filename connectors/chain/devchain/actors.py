"""The script of the on-chain agents: which call an agent makes next, given the state of its branch.

Invariant: ``next_call`` depends on its arguments alone, and a call it makes succeeds on that state unless it is one of the
``failing`` activities.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from connectors.chain.devchain.contracts import (
    EXCHANGE,
    HUB,
    PAIRS,
    ROUTER,
    STAKED,
    TOKENS,
    VAULT,
    Token,
    contract_address,
    exchange,
    staking,
    token,
)  # fmt: skip
from connectors.chain.devchain.contracts.abi import call_data
from connectors.chain.devchain.contracts.hub import BY_INTENT
from connectors.chain.devchain.notes import ASKED, LEARNED, ORDERED, PROPOSED, SAID, Note, write_line, write_note
from connectors.chain.devchain.world import World

OUTSIDERS = tuple(contract_address(f"outsider {n}") for n in range(8))
DEADLINE = 1_200
EXPORT_FORMATS = ("json", "avro", "binary")


@dataclass(frozen=True, slots=True)
class Call:
    """What a transaction is to do. ``note`` is set where it stores one."""

    to: bytes
    data: bytes
    value: int = 0
    note: Note | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """An agent about to act: its address, the other agents, the branch's state, the time of the block in seconds."""

    rng: Random
    agent: bytes
    peers: tuple[bytes, ...]
    world: World
    timestamp: int

    def peer(self) -> bytes:
        """Someone else: mostly another agent."""
        others = [p for p in self.peers if p != self.agent] if self.rng.random() < 0.8 else []
        return self.rng.choice(others or OUTSIDERS)

    def part(self, amount: int) -> int:
        """A small random part of a balance, rounded to four digits as people do."""
        piece: int = amount * self.rng.randrange(5, 200) // 10_000
        unit: int = 10 ** max(len(str(piece)) - 4, 0)
        return piece // unit * unit

    def balance(self, asset: bytes) -> int:
        """Own units of a token or pool share."""
        return token.balance_of(self.world.ledger, asset, self.agent)


def next_call(scene: Scene) -> Call:
    """The agent's next call; its first one registers it with the hub."""
    if scene.world.ledger.nonce(scene.agent) == 0:
        return _hub("register_agent", bytes(12) + scene.agent, alias=scene.rng.random() < 0.5)
    activity = scene.rng.choices(ACTIVITIES, WEIGHTS)[0]
    return activity(scene)


def _hub(intent: str, *arguments: Any, alias: bool, note: Note | None = None) -> Call:
    method = BY_INTENT[intent]
    short = bytes.fromhex(method.alias) if alias and method.alias else None
    return Call(HUB, call_data(method.signature, *arguments, alias=short), note=note)


def _ether(scene: Scene) -> Call:
    return Call(scene.peer(), b"", scene.rng.randrange(1, 5_000) * 10**15)


def _say(scene: Scene) -> Call:
    return Call(scene.peer(), write_line(scene.rng, SAID).encode(), scene.rng.choice((0, 0, 10**16)))


def _pay(scene: Scene) -> Call:
    item = scene.rng.choice(TOKENS)
    return Call(item.address, call_data(token.TRANSFER, scene.peer(), scene.part(scene.balance(item.address))))


def _overpay(scene: Scene) -> Call:
    item = scene.rng.choice(TOKENS)
    return Call(item.address, call_data(token.TRANSFER, scene.peer(), scene.balance(item.address) + 10**30))


def _approve(scene: Scene) -> Call:
    item = scene.rng.choice(TOKENS)
    amount = scene.rng.choice((0, 2**256 - 1, scene.part(scene.balance(item.address))))
    return Call(item.address, call_data(token.APPROVE, scene.rng.choice((ROUTER, VAULT)), amount))


def _swap_call(scene: Scene, margin: int) -> Call:
    source, target = _pair(scene)
    amount = scene.part(scene.balance(source.address))
    quoted = EXCHANGE.quote(scene.world.ledger, amount, source.address, target.address)
    arguments = (amount, quoted * margin // 100, (source.address, target.address), scene.agent, scene.timestamp + DEADLINE)
    return Call(ROUTER, call_data(exchange.SWAP, *arguments))


def _swap(scene: Scene) -> Call:
    return _swap_call(scene, 90)


def _greedy_swap(scene: Scene) -> Call:
    return _swap_call(scene, 130)


def _add_liquidity(scene: Scene) -> Call:
    one, other = _pair(scene)
    ledger, pool = scene.world.ledger, EXCHANGE.pool(one.address, other.address)
    reserves = token.balance_of(ledger, one.address, pool), token.balance_of(ledger, other.address, pool)
    first = min(scene.part(scene.balance(one.address)), scene.balance(other.address) * reserves[0] // reserves[1] // 2)
    second = first * reserves[1] // reserves[0]
    amounts = (first, second * 102 // 100, first * 9 // 10, second * 9 // 10)
    arguments = (one.address, other.address, *amounts, scene.agent, scene.timestamp + DEADLINE)
    return Call(ROUTER, call_data(exchange.ADD_LIQUIDITY, *arguments))


def _remove_liquidity(scene: Scene) -> Call:
    held = [(pair, shares) for pair in PAIRS if (shares := scene.balance(EXCHANGE.pool(pair[0].address, pair[1].address)))]
    if not held:
        return _add_liquidity(scene)
    (one, other), shares = scene.rng.choice(held)
    arguments = (one.address, other.address, (shares + 1) // 2, 0, 0, scene.agent, scene.timestamp + DEADLINE)
    return Call(ROUTER, call_data(exchange.REMOVE_LIQUIDITY, *arguments))


def _stake(scene: Scene) -> Call:
    amount = scene.part(scene.balance(STAKED.address))
    return Call(VAULT, call_data(staking.STAKE, max(amount, 1)))


def _unstake(scene: Scene) -> Call:
    held = staking.stake_of(scene.world.ledger, VAULT, scene.agent)
    return Call(VAULT, call_data(staking.WITHDRAW, (held + 1) // 2)) if held else _stake(scene)


def _delegate(scene: Scene) -> Call:
    return Call(VAULT, call_data(staking.DELEGATE, scene.peer()))


def _store(scene: Scene) -> Call:
    note = write_note(scene.rng)
    arguments = (note.kind, note.content.encode(), note.importance, list(note.tags))
    return _hub("memory_store", *arguments, alias=scene.rng.random() < 0.5, note=note)


def _retrieve(scene: Scene) -> Call:
    known = scene.world.recent.get(scene.agent)
    if not known:
        return _store(scene)
    return _hub("memory_retrieve", scene.rng.choice(known), alias=scene.rng.random() < 0.5)


def _forget(scene: Scene) -> Call:
    known = scene.world.recent.get(scene.agent, ())
    if len(known) < 4:
        return _store(scene)
    memory_id = scene.rng.choice(known)
    return _hub("memory_forget", memory_id, alias=scene.rng.random() < 0.5)


def _export(scene: Scene) -> Call:
    return _hub("memory_export", scene.rng.choice(EXPORT_FORMATS), alias=scene.rng.random() < 0.5)


def _ask(scene: Scene) -> Call:
    return _hub("query", write_line(scene.rng, ASKED), alias=scene.rng.random() < 0.5)


def _order(scene: Scene) -> Call:
    return _hub("execute", write_line(scene.rng, ORDERED), alias=scene.rng.random() < 0.5)


def _learn(scene: Scene) -> Call:
    return _hub("learn", write_line(scene.rng, LEARNED), alias=scene.rng.random() < 0.5)


def _collaborate(scene: Scene) -> Call:
    return _hub("collaborate", scene.peer(), write_line(scene.rng, PROPOSED), alias=scene.rng.random() < 0.5)


def _pair(scene: Scene) -> tuple[Token, Token]:
    one, other = scene.rng.choice(PAIRS)
    return (one, other) if scene.rng.random() < 0.5 else (other, one)


SCRIPT: tuple[tuple[Callable[[Scene], Call], int], ...] = (
    (_ether, 8), (_pay, 11), (_swap, 14), (_add_liquidity, 4), (_remove_liquidity, 3), (_stake, 5), (_unstake, 2),
    (_delegate, 3), (_approve, 4), (_store, 18), (_retrieve, 3), (_forget, 4), (_export, 1), (_ask, 3), (_order, 3),
    (_learn, 4), (_collaborate, 3), (_say, 4), (_overpay, 2), (_greedy_swap, 1),
)  # fmt: skip
ACTIVITIES = tuple(activity for activity, _ in SCRIPT)
WEIGHTS = tuple(weight for _, weight in SCRIPT)
