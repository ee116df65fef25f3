"""Scripted ERC-20 tokens: transfer and approve with the standard selectors and logs.

Invariant: the sum of all balances of a token never changes after genesis.
"""

from __future__ import annotations

from typing import Any

from connectors.chain.devchain.contracts.abi import Frame, Log, Method, Revert, address_topic, event_topic, words
from connectors.chain.devchain.ledger import Ledger

TRANSFER = "transfer(address,uint256)"
APPROVE = "approve(address,uint256)"
TRANSFER_TOPIC = event_topic("Transfer(address,address,uint256)")
APPROVAL_TOPIC = event_topic("Approval(address,address,uint256)")


def balance_of(ledger: Ledger, token: bytes, owner: bytes) -> int:
    """In base units of the token."""
    return ledger.slot(token, b"balance" + owner)


def mint(ledger: Ledger, token: bytes, owner: bytes, amount: int) -> None:
    """Create units out of nothing (genesis and pool shares only)."""
    ledger.write(token, b"balance" + owner, balance_of(ledger, token, owner) + amount)


def move(ledger: Ledger, token: bytes, source: bytes, target: bytes, amount: int) -> Log:
    """Move units and say so. The caller has checked the balance."""
    ledger.write(token, b"balance" + source, balance_of(ledger, token, source) - amount)
    ledger.write(token, b"balance" + target, balance_of(ledger, token, target) + amount)
    return transfer_log(token, source, target, amount)


def transfer_log(token: bytes, source: bytes, target: bytes, amount: int) -> Log:
    """The standard event."""
    return Log(token, (TRANSFER_TOPIC, address_topic(source), address_topic(target)), words(amount))


def _transfer(frame: Frame, arguments: tuple[Any, ...]) -> list[Log]:
    target, amount = arguments
    if balance_of(frame.ledger, frame.contract, frame.sender) < amount:
        raise Revert("transfer amount exceeds balance")
    return [move(frame.ledger, frame.contract, frame.sender, target, amount)]


def _approve(frame: Frame, arguments: tuple[Any, ...]) -> list[Log]:
    spender, amount = arguments
    frame.ledger.write(frame.contract, b"allowance" + frame.sender + spender, amount)
    return [Log(frame.contract, (APPROVAL_TOPIC, address_topic(frame.sender), address_topic(spender)), words(amount))]


METHODS = (Method(TRANSFER, _transfer, 29_000), Method(APPROVE, _approve, 24_500))
