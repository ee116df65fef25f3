"""A scripted exchange in the manner of Uniswap V2: one router, pools that are their own share token.

The constant product with a fee of 0.3 % is computed as in the V2 library (getAmountOut). Every account is taken to have
approved the router, so allowances are recorded by the tokens and not checked here.

Invariant: a swap never lowers the product of the reserves; shares outstanding are zero only where both reserves are.
"""

from __future__ import annotations

from math import isqrt
from typing import Any

from connectors.chain.devchain.contracts import token
from connectors.chain.devchain.contracts.abi import Frame, Log, Method, Revert, address_topic, event_topic, words
from connectors.chain.devchain.ledger import Ledger

SWAP = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
ADD_LIQUIDITY = "addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)"
REMOVE_LIQUIDITY = "removeLiquidity(address,address,uint256,uint256,uint256,address,uint256)"
SWAP_TOPIC = event_topic("Swap(address,uint256,uint256,uint256,uint256,address)")
SYNC_TOPIC = event_topic("Sync(uint112,uint112)")
MINT_TOPIC = event_topic("Mint(address,uint256,uint256)")
BURN_TOPIC = event_topic("Burn(address,uint256,uint256,address)")
NOBODY = bytes(20)
SUPPLY = b"supply"


class Exchange:
    """The router over ``pools``: {(lower token, higher token): pool address}."""

    def __init__(self, pools: dict[tuple[bytes, bytes], bytes]) -> None:
        self._pools = pools
        self.methods = (
            Method(SWAP, self._swap, 88_000),
            Method(ADD_LIQUIDITY, self._add, 121_000),
            Method(REMOVE_LIQUIDITY, self._remove, 132_000),
        )

    def pool(self, one: bytes, other: bytes) -> bytes:
        """The pool of two tokens in any order. Raises Revert where there is none."""
        pool = self._pools.get((min(one, other), max(one, other)))
        if pool is None:
            raise Revert("no such pool")
        return pool

    def quote(self, ledger: Ledger, amount: int, source: bytes, target: bytes) -> int:
        """Units of ``target`` for ``amount`` units of ``source``, after the fee."""
        pool = self.pool(source, target)
        reserve_in, reserve_out = token.balance_of(ledger, source, pool), token.balance_of(ledger, target, pool)
        taken = amount * 997
        return taken * reserve_out // (reserve_in * 1000 + taken)

    def seed(self, ledger: Ledger, one: bytes, other: bytes, amounts: tuple[int, int], owner: bytes) -> None:
        """Genesis liquidity, owned by ``owner``."""
        pool = self.pool(one, other)
        token.mint(ledger, one, pool, amounts[0])
        token.mint(ledger, other, pool, amounts[1])
        _issue(ledger, pool, owner, isqrt(amounts[0] * amounts[1]))

    def _swap(self, frame: Frame, arguments: tuple[Any, ...]) -> list[Log]:
        amount, minimum, path, target, deadline = arguments
        if len(path) != 2:
            raise Revert("path of two tokens only")
        pool = self.pool(*path)
        out = self.quote(frame.ledger, amount, *path)
        if frame.timestamp > deadline:
            raise Revert("expired")
        if token.balance_of(frame.ledger, path[0], frame.sender) < amount or out < minimum or not out:
            raise Revert("insufficient input or output amount")
        logs = [
            token.move(frame.ledger, path[0], frame.sender, pool, amount),
            token.move(frame.ledger, path[1], pool, target, out),
        ]
        amounts = (amount, 0, 0, out) if path[0] < path[1] else (0, amount, out, 0)
        topics = (SWAP_TOPIC, address_topic(frame.contract), address_topic(target))
        return [*logs, _sync(frame.ledger, pool, *path), Log(pool, topics, words(*amounts))]

    def _add(self, frame: Frame, arguments: tuple[Any, ...]) -> list[Log]:
        one, other, first, second, low, high, to, deadline = arguments
        ledger, pool = frame.ledger, self.pool(one, other)
        reserves = token.balance_of(ledger, one, pool), token.balance_of(ledger, other, pool)
        second = min(second, first * reserves[1] // reserves[0])
        supply = ledger.slot(pool, SUPPLY)
        shares = min(first * supply // reserves[0], second * supply // reserves[1])
        poor = token.balance_of(ledger, one, frame.sender) < first or token.balance_of(ledger, other, frame.sender) < second
        if poor or not shares or first < low or second < high or frame.timestamp > deadline:
            raise Revert("cannot add liquidity")
        logs = [token.move(ledger, one, frame.sender, pool, first), token.move(ledger, other, frame.sender, pool, second)]
        logs.append(_issue(ledger, pool, to, shares))
        amounts = (first, second) if one < other else (second, first)
        topics = (MINT_TOPIC, address_topic(frame.contract))
        return [*logs, _sync(ledger, pool, one, other), Log(pool, topics, words(*amounts))]

    def _remove(self, frame: Frame, arguments: tuple[Any, ...]) -> list[Log]:
        one, other, shares, low, high, to, deadline = arguments
        ledger, pool = frame.ledger, self.pool(one, other)
        supply = ledger.slot(pool, SUPPLY)
        first = shares * token.balance_of(ledger, one, pool) // supply
        second = shares * token.balance_of(ledger, other, pool) // supply
        poor = token.balance_of(ledger, pool, frame.sender) < shares
        if poor or shares >= supply or first < low or second < high or frame.timestamp > deadline:
            raise Revert("cannot remove liquidity")
        ledger.write(pool, b"balance" + frame.sender, token.balance_of(ledger, pool, frame.sender) - shares)
        ledger.write(pool, SUPPLY, supply - shares)
        logs = [token.transfer_log(pool, frame.sender, NOBODY, shares)]
        logs += [token.move(ledger, one, pool, to, first), token.move(ledger, other, pool, to, second)]
        amounts = (first, second) if one < other else (second, first)
        topics = (BURN_TOPIC, address_topic(frame.contract), address_topic(to))
        return [*logs, _sync(ledger, pool, one, other), Log(pool, topics, words(*amounts))]


def _issue(ledger: Ledger, pool: bytes, owner: bytes, shares: int) -> Log:
    token.mint(ledger, pool, owner, shares)
    ledger.write(pool, SUPPLY, ledger.slot(pool, SUPPLY) + shares)
    return token.transfer_log(pool, NOBODY, owner, shares)


def _sync(ledger: Ledger, pool: bytes, one: bytes, other: bytes) -> Log:
    reserves = (token.balance_of(ledger, side, pool) for side in sorted((one, other)))
    return Log(pool, (SYNC_TOPIC,), words(*reserves))
