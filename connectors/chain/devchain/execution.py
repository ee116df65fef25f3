"""What one transaction does to a ledger: gas, fees, the scripted contract, the logs or a failure.

Invariant: wei is conserved: sender's loss = receiver's gain + tip of the beneficiary + burnt base fee. A failed call moves
no value and leaves no log, but pays its gas.
"""

from __future__ import annotations

from typing import NamedTuple

from connectors.chain.devchain.contracts import CONTRACTS
from connectors.chain.devchain.contracts.abi import Frame, Log, Method, Revert, arguments_of
from connectors.chain.devchain.ledger import Ledger
from connectors.chain.devchain.transaction import Transaction

INTRINSIC_GAS = 21_000
ZERO_BYTE_GAS = 4
BYTE_GAS = 16
FLOOR_TOKEN_GAS = 10
FAILED_SHARE = 3  # a revert costs a third of what the method would have cost


class Outcome(NamedTuple):
    """``status`` 1 or 0, gas used, logs."""

    status: int
    gas_used: int
    logs: tuple[Log, ...]


def intrinsic_gas(data: bytes) -> int:
    """Gas of a transaction that calls nothing (EIP-2028)."""
    zeros = data.count(0)
    return INTRINSIC_GAS + ZERO_BYTE_GAS * zeros + BYTE_GAS * (len(data) - zeros)


def floor_gas(data: bytes) -> int:
    """The least a transaction with this calldata costs (EIP-7623)."""
    zeros = data.count(0)
    return INTRINSIC_GAS + FLOOR_TOKEN_GAS * (zeros + 4 * (len(data) - zeros))


def gas_limit(to: bytes, data: bytes) -> int:
    """A limit that always suffices for this call, with the margin a wallet leaves."""
    method = _method(to, data)
    needed = intrinsic_gas(data) + (method.gas if method else 0)
    return max(needed, floor_gas(data)) * 6 // 5


def includable(ledger: Ledger, transaction: Transaction, base_fee: int) -> bool:
    """Whether a block on this state may hold it: next nonce, fee cap above the base fee, funds for gas and value."""
    cost = transaction.gas * transaction.max_fee + transaction.value
    return (
        ledger.nonce(transaction.sender) == transaction.nonce
        and transaction.max_fee >= base_fee
        and ledger.balance(transaction.sender) >= cost
    )


def execute(ledger: Ledger, transaction: Transaction, beneficiary: bytes, base_fee: int, timestamp: int) -> Outcome:
    """Apply ``transaction`` to ``ledger``. The caller has checked ``includable``."""
    sender, to, data = transaction.sender, transaction.to, transaction.data
    ledger.nonces[sender] = transaction.nonce + 1
    method = _method(to, data)
    status, gas = 1, intrinsic_gas(data)
    logs: tuple[Log, ...] = ()
    if to in CONTRACTS:
        status, extra, logs = _call(Frame(ledger, sender, to, transaction.value, timestamp), method, data)
        gas += extra
    gas = max(gas, floor_gas(data))
    price = transaction.price(base_fee)
    ledger.credit(sender, -gas * price)
    ledger.credit(beneficiary, gas * (price - base_fee))
    if status and transaction.value:
        ledger.credit(sender, -transaction.value)
        ledger.credit(to, transaction.value)
    return Outcome(status, gas, logs)


def _method(to: bytes, data: bytes) -> Method | None:
    table = CONTRACTS.get(to)
    return table.get(data[:4]) if table else None


def _call(frame: Frame, method: Method | None, data: bytes) -> tuple[int, int, tuple[Log, ...]]:
    if method is None or frame.value:
        return 0, 400, ()
    try:
        return 1, method.gas, tuple(method.run(frame, arguments_of(method.signature, data)))
    except Revert:
        return 0, method.gas // FAILED_SHARE, ()
