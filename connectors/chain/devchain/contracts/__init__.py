"""Scripted contracts of the development chain: which there are, where they live, what they hold at genesis.

Invariant: addresses depend on names only, so they are the same on every development chain.
"""

from __future__ import annotations

from typing import NamedTuple

from eth_hash.auto import keccak

from connectors.chain.devchain.contracts import hub, token
from connectors.chain.devchain.contracts.abi import Method, selector
from connectors.chain.devchain.contracts.exchange import Exchange
from connectors.chain.devchain.contracts.staking import Staking
from connectors.chain.devchain.ledger import Ledger


def contract_address(name: str) -> bytes:
    """Where the contract called ``name`` lives."""
    return bytes(keccak(b"monmouth devchain contract " + name.encode())[12:])


class Token(NamedTuple):
    """A token: ``price`` is its genesis price in US dollars."""

    symbol: str
    decimals: int
    price: int
    address: bytes

    @property
    def unit(self) -> int:
        """Base units in one token."""
        return int(10**self.decimals)


TOKENS = tuple(
    Token(symbol, decimals, price, contract_address(symbol))
    for symbol, decimals, price in (("USDC", 6, 1), ("WETH", 18, 3000), ("DAI", 18, 1), ("LINK", 18, 15), ("MON", 18, 2))
)
BY_SYMBOL = {item.symbol: item for item in TOKENS}
PAIRS = tuple(
    (BY_SYMBOL[one], BY_SYMBOL[other])
    for one, other in (("WETH", "USDC"), ("DAI", "USDC"), ("LINK", "WETH"), ("MON", "USDC"), ("MON", "WETH"))
)
ROUTER, VAULT, HUB = (contract_address(name) for name in ("router", "vault", "hub"))
STAKED = BY_SYMBOL["MON"]
POOLS = {
    (min(a.address, b.address), max(a.address, b.address)): contract_address(f"pool {a.symbol}/{b.symbol}") for a, b in PAIRS
}
EXCHANGE = Exchange(POOLS)
STAKING = Staking(STAKED.address)
POOL_VALUE = 20_000_000  # dollars in each pool at genesis
AGENT_VALUE = 200_000  # dollars of each token each agent holds at genesis


def _table(methods: tuple[Method, ...]) -> dict[bytes, Method]:
    return {key: method for method in methods for key in (selector(method.signature), *method.aliases)}


CONTRACTS: dict[bytes, dict[bytes, Method]] = {
    **{item.address: _table(token.METHODS) for item in TOKENS},
    **{pool: _table(token.METHODS) for pool in POOLS.values()},
    ROUTER: _table(EXCHANGE.methods),
    VAULT: _table(STAKING.methods),
    HUB: _table(hub.METHODS),
}


def deploy(ledger: Ledger, holders: tuple[bytes, ...]) -> None:
    """Write the genesis state of every contract: pools filled, each holder with some of each token and pool shares."""
    for address in CONTRACTS:
        ledger.nonces[address] = 1
        ledger.slots.setdefault(address, {})
    for item in TOKENS:
        for holder in holders:
            token.mint(ledger, item.address, holder, AGENT_VALUE * item.unit // item.price)
    for one, other in PAIRS:
        amounts = tuple(POOL_VALUE // 2 * side.unit // side.price for side in (one, other))
        EXCHANGE.seed(ledger, one.address, other.address, (amounts[0], amounts[1]), ROUTER)
