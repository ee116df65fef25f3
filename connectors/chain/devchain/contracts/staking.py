"""A scripted staking vault for one token: stake, withdraw, delegate votes.

Invariant: the vault's balance of the token is the sum of all stakes.
"""

from __future__ import annotations

from typing import Any

from connectors.chain.devchain.contracts import token
from connectors.chain.devchain.contracts.abi import Frame, Log, Method, Revert, address_topic, event_topic, words
from connectors.chain.devchain.ledger import Ledger

STAKE = "stake(uint256)"
WITHDRAW = "withdraw(uint256)"
DELEGATE = "delegate(address)"
STAKED_TOPIC = event_topic("Staked(address,uint256)")
WITHDRAWN_TOPIC = event_topic("Withdrawn(address,uint256)")
DELEGATE_TOPIC = event_topic("DelegateChanged(address,address,address)")


def stake_of(ledger: Ledger, vault: bytes, owner: bytes) -> int:
    """In base units of the staked token."""
    return ledger.slot(vault, b"stake" + owner)


class Staking:
    """The vault's methods over ``asset``, the staked token."""

    def __init__(self, asset: bytes) -> None:
        self._asset = asset
        self.methods = (
            Method(STAKE, self._stake, 64_000),
            Method(WITHDRAW, self._withdraw, 58_000),
            Method(DELEGATE, self._delegate, 46_000),
        )

    def _stake(self, frame: Frame, arguments: tuple[Any, ...]) -> list[Log]:
        (amount,) = arguments
        if not amount or token.balance_of(frame.ledger, self._asset, frame.sender) < amount:
            raise Revert("nothing to stake")
        log = token.move(frame.ledger, self._asset, frame.sender, frame.contract, amount)
        self._change(frame, amount)
        return [log, Log(frame.contract, (STAKED_TOPIC, address_topic(frame.sender)), words(amount))]

    def _withdraw(self, frame: Frame, arguments: tuple[Any, ...]) -> list[Log]:
        (amount,) = arguments
        if not amount or stake_of(frame.ledger, frame.contract, frame.sender) < amount:
            raise Revert("more than staked")
        log = token.move(frame.ledger, self._asset, frame.contract, frame.sender, amount)
        self._change(frame, -amount)
        return [log, Log(frame.contract, (WITHDRAWN_TOPIC, address_topic(frame.sender)), words(amount))]

    def _change(self, frame: Frame, amount: int) -> None:
        held = stake_of(frame.ledger, frame.contract, frame.sender)
        frame.ledger.write(frame.contract, b"stake" + frame.sender, held + amount)

    def _delegate(self, frame: Frame, arguments: tuple[Any, ...]) -> list[Log]:
        (target,) = arguments
        key = b"delegate" + frame.sender
        before = frame.ledger.slot(frame.contract, key).to_bytes(20, "big")
        frame.ledger.write(frame.contract, key, int.from_bytes(target, "big"))
        topics = (DELEGATE_TOPIC, address_topic(frame.sender), address_topic(before), address_topic(target))
        return [Log(frame.contract, topics, b"")]
