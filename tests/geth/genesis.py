"""The chain a test node starts from: geth's own development genesis, which has the system contracts, with funded accounts and
a contract that logs what it is called with.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from connectors.chain.devchain.transaction import DYNAMIC_FEE, LEGACY, Account, Transaction, Unsigned, sign

CHAIN_ID = 1337
ACCOUNTS = tuple(Account(bytes([number]) * 32) for number in range(1, 9))
EMITTER = bytes(19) + b"\xee"
EMITTER_CODE = "0x" + "600035600052" + "600760206000a1" + "00"
"""LOG1 of the first word of the call's data, topic 7."""
PRAGUE_ON = ("osakaTime", "bogotaTime", "amsterdamTime", "verkleTime", *(f"bpo{number}Time" for number in range(1, 9)))
"""Forks the Engine API calls of ``Consensus`` are too old for."""
GWEI = 10**9


def genesis(binary: Path) -> dict[str, Any]:
    """As ``geth init`` takes it."""
    dumped = subprocess.run([str(binary), "--dev", "dumpgenesis"], check=True, capture_output=True, timeout=60)
    made: dict[str, Any] = json.loads(dumped.stdout)
    config = made["config"]
    for fork in PRAGUE_ON:
        config.pop(fork, None)
    config["chainId"] = CHAIN_ID
    config["blobSchedule"] = {fork: config["blobSchedule"][fork] for fork in ("cancun", "prague")}
    made["gasLimit"] = hex(36_000_000)
    for account in ACCOUNTS:
        made["alloc"]["0x" + account.address.hex()] = {"balance": hex(10**24)}
    made["alloc"]["0x" + EMITTER.hex()] = {"balance": "0x0", "code": EMITTER_CODE}
    return made


def call_emitter(sender: Account, nonce: int, word: int) -> Transaction:
    """A transaction with one log; of either type, by turns."""
    kind, fee = (LEGACY, 10 * GWEI) if nonce % 2 else (DYNAMIC_FEE, 100 * GWEI)
    unsigned = Unsigned(kind, CHAIN_ID, nonce, fee, GWEI if kind else 0, 100_000, EMITTER, 0, word.to_bytes(32, "big"))
    return sign(sender, unsigned)
