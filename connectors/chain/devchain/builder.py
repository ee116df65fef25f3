"""Builds the next block of a branch: a pure function of the parent, its state, a salt and the transactions waiting.

Invariant: a branch with another salt differs in every block hash, even where the transactions are the same. Waiting
transactions (of a branch that lost) are taken in nonce order, mixed with new ones, so nonces stay valid on each branch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import NamedTuple

from blake3 import blake3

from connectors.chain.devchain.actors import Call, Scene, next_call
from connectors.chain.devchain.block import Block, Header, Receipt, bloom_of, next_base_fee, ordered_root
from connectors.chain.devchain.contracts import HUB, contract_address
from connectors.chain.devchain.contracts.abi import arguments_of, selector
from connectors.chain.devchain.contracts.hub import BY_INTENT
from connectors.chain.devchain.execution import Outcome, execute, gas_limit, includable
from connectors.chain.devchain.ledger import Ledger
from connectors.chain.devchain.notes import Note
from connectors.chain.devchain.transaction import DYNAMIC_FEE, LEGACY, Account, Transaction, Unsigned, sign
from connectors.chain.devchain.world import Stored, World
from streams.core.ids import chain_memory_id

BENEFICIARY = contract_address("beneficiary")
REINCLUDED_SHARE = 0.65
LEGACY_SHARE = 0.12
GWEI = 10**9
Waiting = Mapping[bytes, Mapping[int, tuple[Transaction, Note | None]]]


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for the whole chain. Times in seconds; ``gas_limit`` for each block."""

    seed: int
    chain_id: int
    genesis_time: int
    slot: int
    transactions: int
    gas_limit: int


class Built(NamedTuple):
    """A block, what it stored, which memory ids it forgot, and the note of each of its transactions that has one."""

    block: Block
    stored: tuple[Stored, ...]
    forgotten: frozenset[bytes]
    notes: dict[bytes, Note]


class _Body(NamedTuple):
    transactions: list[Transaction]
    receipts: list[Receipt]
    notes: dict[bytes, Note]

    @property
    def gas_used(self) -> int:
        return self.receipts[-1].cumulative_gas_used if self.receipts else 0

    def add(self, transaction: Transaction, outcome: Outcome, note: Note | None) -> None:
        status, gas, logs = outcome
        self.receipts.append(Receipt(transaction.type, status, gas, self.gas_used + gas, bloom_of(logs), logs))
        self.transactions.append(transaction)
        if note is not None and status:
            self.notes[transaction.hash] = note


class Builder:
    """Builds blocks for one chain and its accounts."""

    def __init__(self, rules: Rules, accounts: tuple[Account, ...]) -> None:
        self._rules = rules
        self._accounts = accounts
        self._addresses = tuple(account.address for account in accounts)

    def build(self, parent: Block, world: World, salt: int, waiting: Waiting) -> tuple[Built, World]:
        """The child of ``parent`` and the state after it.

        ``waiting``: transactions to include again, {sender: {nonce: (transaction, note)}}.
        """
        entropy = blake3(b"%d/%d/" % (self._rules.seed, salt) + parent.hash).digest(64)
        rng = Random(entropy)
        number = parent.number + 1
        header = Header(
            parent=parent.hash, beneficiary=BENEFICIARY, state_root=b"", transactions_root=b"", receipts_root=b"", bloom=b"",
            number=number, gas_limit=self._rules.gas_limit, gas_used=0,
            timestamp=self._rules.genesis_time + number * self._rules.slot + salt % self._rules.slot,
            extra=b"monmouth devchain", randao=entropy[:32], base_fee=next_base_fee(parent.header), beacon_root=entropy[32:],
        )  # fmt: skip
        ledger = world.ledger.copy()
        body = self._fill(header, World(ledger, world.recent), rng, waiting)
        block = _seal(header, ledger, body)
        stored, forgotten = _memories(self._rules.chain_id, block, body.notes)
        return Built(block, stored, forgotten, body.notes), world.after(ledger, stored, forgotten)

    def _fill(self, header: Header, world: World, rng: Random, waiting: Waiting) -> _Body:
        body = _Body([], [], {})
        for _ in range(self._size(rng)):
            transaction, note = self._next(header, world, rng, waiting)
            if body.gas_used + transaction.gas > header.gas_limit:
                break
            if includable(world.ledger, transaction, header.base_fee):
                body.add(
                    transaction, execute(world.ledger, transaction, header.beneficiary, header.base_fee, header.timestamp), note
                )
        return body

    def _size(self, rng: Random) -> int:
        usual = self._rules.transactions
        return max(1, rng.randint(usual * 3 // 4, usual * 5 // 4)) if usual else 0

    def _next(self, header: Header, world: World, rng: Random, waiting: Waiting) -> tuple[Transaction, Note | None]:
        """A waiting transaction of a random agent, or one it signs now with the same nonce."""
        account = rng.choice(self._accounts)
        nonce = world.ledger.nonce(account.address)
        known = waiting.get(account.address, {}).get(nonce)
        if known is not None and rng.random() < REINCLUDED_SHARE:
            return known
        call = next_call(Scene(rng, account.address, self._addresses, world, header.timestamp))
        return self._sign(account, nonce, call, header.base_fee, rng), call.note

    def _sign(self, account: Account, nonce: int, call: Call, base_fee: int, rng: Random) -> Transaction:
        kind = LEGACY if rng.random() < LEGACY_SHARE else DYNAMIC_FEE
        tip = rng.randrange(1, 30) * GWEI // 10
        max_fee = base_fee * 2 + tip
        gas = gas_limit(call.to, call.data)
        tip = max_fee if kind == LEGACY else tip
        return sign(account, Unsigned(kind, self._rules.chain_id, nonce, max_fee, tip, gas, call.to, call.value, call.data))


def _seal(header: Header, ledger: Ledger, body: _Body) -> Block:
    sealed = replace(
        header,
        state_root=ledger.root(),
        transactions_root=ordered_root([t.raw for t in body.transactions]),
        receipts_root=ordered_root([r.encode() for r in body.receipts]),
        bloom=bloom_of(log for receipt in body.receipts for log in receipt.logs),
        gas_used=body.gas_used,
    )
    return Block(sealed, tuple(body.transactions), tuple(body.receipts))


def _memories(chain_id: int, block: Block, notes: Mapping[bytes, Note]) -> tuple[tuple[Stored, ...], frozenset[bytes]]:
    forget = BY_INTENT["memory_forget"]
    selectors = {selector(forget.signature), bytes.fromhex(forget.alias or "")}
    stored, forgotten = [], []
    for index, (transaction, receipt) in enumerate(zip(block.transactions, block.receipts, strict=True)):
        note = notes.get(transaction.hash)
        if note is not None:
            memory_id = chain_memory_id(chain_id, block.hash, index, transaction.sender)
            stored.append(Stored(transaction.sender, memory_id, transaction.hash, note))
        elif receipt.status and transaction.to == HUB and transaction.data[:4] in selectors:
            forgotten.append(bytes(arguments_of(forget.signature, transaction.data)[0]))
    return tuple(stored), frozenset(forgotten)
