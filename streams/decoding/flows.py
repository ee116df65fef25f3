"""What the logs of a transaction moved to and from one account."""

from __future__ import annotations

from collections.abc import Iterable

from streams.decoding.logs import Event
from streams.decoding.tokens import Money, short

SHOWN = 3
"""Movements a sentence names a side; it counts the rest."""


def net_flows(events: Iterable[Event], account: bytes) -> dict[bytes, int]:
    """Net amount by token contract that ``account`` received (positive) or gave (negative), in order of first movement."""
    net: dict[bytes, int] = {}
    for event in events:
        if event.name != "Transfer":
            continue
        amount = int(event.arguments["amount"])
        change = amount * ((event.arguments["recipient"] == account) - (event.arguments["sender"] == account))
        if change:
            net[event.contract] = net.get(event.contract, 0) + change
    return {token: amount for token, amount in net.items() if amount}


def moved_collectibles(events: Iterable[Event], account: bytes) -> tuple[list[str], list[str]]:
    """NFTs that came to and left ``account``, as text."""
    came: list[str] = []
    left: list[str] = []
    for event in events:
        if event.name in ("TransferToken", "TransferSingle") and event.arguments["sender"] != event.arguments["recipient"]:
            text = f"NFT {event.arguments['token_id']} of collection {short(event.contract)}"
            if event.arguments["recipient"] == account:
                came.append(text)
            elif event.arguments["sender"] == account:
                left.append(text)
    return came, left


def flow_text(events: list[Event], account: bytes, money: Money) -> tuple[str, str]:
    """(what ``account`` received, what it gave); empty where nothing moved."""
    net = net_flows(events, account)
    came, left = moved_collectibles(events, account)
    came = [money.text(amount, token) for token, amount in net.items() if amount > 0] + came
    left = [money.text(-amount, token) for token, amount in net.items() if amount < 0] + left
    return _listed(came), _listed(left)


def _listed(items: list[str]) -> str:
    shown = items[:SHOWN] + ([f"{len(items) - SHOWN} more"] if len(items) > SHOWN else [])
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))
