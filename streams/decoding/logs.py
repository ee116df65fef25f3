"""Event logs to known events and their arguments.

Input is hostile. Invariant: an Event is returned only if topics and data are the strict encoding of the arguments. The same
topic 0 with another number of topics is another event (ERC-20 and ERC-721 share theirs).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from schemas.records import Log
from streams.decoding.abi import Parameter, Signature, parse_signature
from streams.decoding.calldata import decode_arguments

MAX_LOG_DATA = 16_384
MAX_EVENTS = 256
"""Logs of one transaction that are read; what a sentence can say is far less, and real ones reach thousands."""

_TABLE = """
Transfer | Transfer(address indexed sender, address indexed recipient, uint256 amount)
TransferToken | Transfer(address indexed sender, address indexed recipient, uint256 indexed token_id)
TransferSingle | TransferSingle(address indexed operator, address indexed sender, address indexed recipient, uint256 token_id, uint256 amount)
TransferBatch | TransferBatch(address indexed operator, address indexed sender, address indexed recipient, uint256[] token_id, uint256[] amount)
Approval | Approval(address indexed owner, address indexed spender, uint256 amount)
ApprovalToken | Approval(address indexed owner, address indexed spender, uint256 indexed token_id)
ApprovalForAll | ApprovalForAll(address indexed owner, address indexed spender, bool approved)
Deposit | Deposit(address indexed recipient, uint256 amount)
Withdrawal | Withdrawal(address indexed sender, uint256 amount)
SwapV2 | Swap(address indexed sender, uint256 amount_a_in, uint256 amount_b_in, uint256 amount_a_out, uint256 amount_b_out, address indexed recipient)
SwapV3 | Swap(address indexed sender, address indexed recipient, int256 amount_a, int256 amount_b, uint160 sqrt_price, uint128 liquidity, int24 tick)
SyncV2 | Sync(uint112 reserve_a, uint112 reserve_b)
MintV2 | Mint(address indexed sender, uint256 amount_a, uint256 amount_b)
BurnV2 | Burn(address indexed sender, uint256 amount_a, uint256 amount_b, address indexed recipient)
MintV3 | Mint(address sender, address indexed owner, int24 indexed tick_lower, int24 indexed tick_upper, uint128 amount, uint256 amount_a, uint256 amount_b)
BurnV3 | Burn(address indexed owner, int24 indexed tick_lower, int24 indexed tick_upper, uint128 amount, uint256 amount_a, uint256 amount_b)
CollectV3 | Collect(address indexed owner, address recipient, int24 indexed tick_lower, int24 indexed tick_upper, uint128 amount_a, uint128 amount_b)
IncreaseLiquidity | IncreaseLiquidity(uint256 indexed position, uint128 liquidity, uint256 amount_a, uint256 amount_b)
DecreaseLiquidity | DecreaseLiquidity(uint256 indexed position, uint128 liquidity, uint256 amount_a, uint256 amount_b)
DelegateChanged | DelegateChanged(address indexed delegator, address indexed previous, address indexed delegate)
DelegateVotesChanged | DelegateVotesChanged(address indexed delegate, uint256 previous, uint256 amount)
VoteCast | VoteCast(address indexed voter, uint256 proposal, uint8 support, uint256 weight, string reason)
Submitted | Submitted(address indexed sender, uint256 amount, address referral)
VaultDeposit | Deposit(address indexed sender, address indexed owner, uint256 amount, uint256 shares)
VaultWithdraw | Withdraw(address indexed sender, address indexed recipient, address indexed owner, uint256 amount, uint256 shares)
Supply | Supply(address indexed token, address sender, address indexed owner, uint256 amount, uint16 indexed referral)
LendWithdraw | Withdraw(address indexed token, address indexed owner, address indexed recipient, uint256 amount)
Borrow | Borrow(address indexed token, address sender, address indexed owner, uint256 amount, uint8 rate_mode, uint256 rate, uint16 indexed referral)
Repay | Repay(address indexed token, address indexed owner, address indexed sender, uint256 amount, bool use_wrapped)
OwnershipTransferred | OwnershipTransferred(address indexed previous, address indexed owner)
"""  # noqa: E501  one event a line reads as a table


@dataclass(frozen=True)
class Event:
    """``name``: as in the table; ``contract``: who emitted it; ``arguments``: addresses as 20 bytes, integers as int."""

    name: str
    contract: bytes
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class _Kind:
    name: str
    indexed: tuple[Parameter, ...]
    plain: tuple[Parameter, ...]


def _kind(name: str, signature: Signature) -> _Kind:
    indexed = tuple(p for p in signature.parameters if p.indexed)
    return _Kind(name, indexed, tuple(p for p in signature.parameters if not p.indexed))


def _index(text: str) -> dict[tuple[bytes, int], _Kind]:
    kinds: dict[tuple[bytes, int], _Kind] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, rest = line.partition(" | ")
        signature = parse_signature(rest)
        kind = _kind(name, signature)
        key = signature.hash, 1 + len(kind.indexed)
        if key in kinds:
            raise ValueError(f"{name} and {kinds[key].name} cannot be told apart")
        kinds[key] = kind
    return kinds


_KINDS = _index(_TABLE)


def decode_log(log: Log) -> Event | None:
    """The event ``log`` encodes, or None if no known event strictly fits."""
    topics = log["topics"]
    kind = _KINDS.get((topics[0], len(topics))) if topics else None
    arguments = None if kind is None else arguments_of(log, kind.indexed, kind.plain)
    return None if kind is None or arguments is None else Event(kind.name, log["address"], arguments)


def arguments_of(log: Log, indexed: tuple[Parameter, ...], plain: tuple[Parameter, ...]) -> dict[str, Any] | None:
    """Values by name: ``indexed`` from the topics, ``plain`` from the data. None if the log is not their strict encoding."""
    if len(log["data"]) > MAX_LOG_DATA:
        return None
    in_topics, in_data = decode_arguments(indexed, b"".join(log["topics"][1:])), decode_arguments(plain, log["data"])
    if in_topics is None or in_data is None:
        return None
    return dict(zip((p.name for p in (*indexed, *plain)), (*in_topics, *in_data), strict=True))


def decode_logs(logs: Iterable[Log]) -> list[Event]:
    """Known events in log order, of the first MAX_EVENTS logs."""
    return [event for event in map(decode_log, islice(logs, MAX_EVENTS)) if event is not None]
