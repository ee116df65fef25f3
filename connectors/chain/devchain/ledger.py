"""Balances, nonces and contract storage after a block, and the state root that commits to them.

There is no EVM here: contracts are scripted in Python and keep their numbers in named slots. The account trie has Ethereum's
form (keccak of the address to RLP of nonce, balance, storage root, code hash), so for plain accounts the root is Ethereum's
own; a scripted contract's storage root is the keccak of the RLP of its sorted non-zero slots instead of a storage trie.

Invariant: two ledgers with equal content have equal roots; zero slots and untouched accounts are not stored.
"""

from __future__ import annotations

import rlp
from eth_hash.auto import keccak
from trie.hexary import HexaryTrie

EMPTY_ROOT = bytes(keccak(rlp.encode(b"")))
EMPTY_CODE_HASH = bytes(keccak(b""))
CONTRACT_CODE = b"\xfe"  # INVALID: whoever runs it learns that there is no code to run
CONTRACT_CODE_HASH = bytes(keccak(CONTRACT_CODE))


class Ledger:
    """Mutable while a block is built, then kept as that block's state. Balances in wei, slots are integers below 2**256."""

    __slots__ = ("balances", "nonces", "slots")

    def __init__(self) -> None:
        self.balances: dict[bytes, int] = {}
        self.nonces: dict[bytes, int] = {}
        self.slots: dict[bytes, dict[bytes, int]] = {}

    def copy(self) -> Ledger:
        """An independent ledger with the same content."""
        twin = Ledger()
        twin.balances = dict(self.balances)
        twin.nonces = dict(self.nonces)
        twin.slots = {contract: dict(slots) for contract, slots in self.slots.items()}
        return twin

    def balance(self, address: bytes) -> int:
        """In wei; 0 for an unknown account."""
        return self.balances.get(address, 0)

    def nonce(self, address: bytes) -> int:
        """Transactions sent."""
        return self.nonces.get(address, 0)

    def credit(self, address: bytes, amount: int) -> None:
        """Add wei. ``amount`` may be negative; a negative balance is a defect."""
        balance = self.balance(address) + amount
        assert balance >= 0, "overdrawn"
        self.balances[address] = balance

    def slot(self, contract: bytes, key: bytes) -> int:
        """0 where nothing was written."""
        return self.slots.get(contract, {}).get(key, 0)

    def write(self, contract: bytes, key: bytes, value: int) -> None:
        """Set a slot; 0 removes it."""
        assert value >= 0, "slots are unsigned"
        slots = self.slots.setdefault(contract, {})
        if value:
            slots[key] = value
        else:
            slots.pop(key, None)

    def root(self) -> bytes:
        """The state root."""
        trie = HexaryTrie({})
        for address in sorted({*self.balances, *self.nonces, *self.slots}):
            contract = address in self.slots
            storage = self._storage_root(address) if contract else EMPTY_ROOT
            code = CONTRACT_CODE_HASH if contract else EMPTY_CODE_HASH
            account = rlp.encode([self.nonce(address), self.balance(address), storage, code])
            trie[keccak(address)] = account
        return bytes(trie.root_hash)

    def _storage_root(self, contract: bytes) -> bytes:
        slots = self.slots[contract]
        if not slots:
            return EMPTY_ROOT
        return bytes(keccak(rlp.encode([[key, value] for key, value in sorted(slots.items())])))
