"""Reading the arguments of calls: block tags, numbers, hashes, addresses. Wrong forms raise RpcError with geth's code."""

from __future__ import annotations

from typing import Any

from connectors.chain.devchain.block import Block
from connectors.chain.devchain.chain import DevChain
from connectors.chain.devchain.rpc_errors import SERVER_ERROR, RpcError, bad_argument

PENDING = "pending"
TAGS = ("earliest", "latest", "safe", "finalized", PENDING)


def fixed_bytes(value: Any, size: int, index: int, kind: str) -> bytes:
    """Exactly ``size`` bytes from 0x-hex."""
    if not isinstance(value, str):
        raise bad_argument(index, f"json: cannot unmarshal {_json_kind(value)} into Go value of type common.{kind}")
    if not value.startswith("0x"):
        raise bad_argument(index, f"json: cannot unmarshal hex string without 0x prefix into Go value of type common.{kind}")
    if len(value) != 2 + 2 * size:
        raise bad_argument(index, f"hex string has length {len(value) - 2}, want {2 * size} for common.{kind}")
    try:
        return bytes.fromhex(value[2:])
    except ValueError:
        raise bad_argument(index, "invalid hex string") from None


def quantity(value: str, index: int) -> int:
    """A number from minimal 0x-hex."""
    if not value.startswith("0x"):
        raise bad_argument(index, "hex string without 0x prefix")
    digits = value[2:]
    if not digits:
        raise bad_argument(index, 'hex string "0x"')
    if len(digits) > 1 and digits[0] == "0":
        raise bad_argument(index, "hex number with leading zero digits")
    if len(digits) > 16 or not all(c in "0123456789abcdefABCDEF" for c in digits):
        raise bad_argument(index, "invalid hex string" if len(digits) <= 16 else "hex number > 64 bits")
    return int(digits, 16)


def block_by_tag(chain: DevChain, value: Any, index: int) -> Block | None:
    """The canonical block a tag or number names; ``pending`` counts as the latest. None: no such height yet."""
    if not isinstance(value, str):
        raise bad_argument(index, f"json: cannot unmarshal {_json_kind(value)} into Go value of type rpc.BlockNumber")
    if value not in TAGS:
        return chain.at(quantity(value, index))
    if value in {"safe", "finalized"}:
        block = chain.safe if value == "safe" else chain.final
        if block is None:
            raise RpcError(SERVER_ERROR, f"{value} block not found")
        return block
    return chain.at(0) if value == "earliest" else chain.head


def block_by_any(chain: DevChain, value: Any, index: int) -> Block | None:
    """A tag, a number, a hash or an EIP-1898 object; a hash finds blocks of any branch."""
    if isinstance(value, dict):
        if "blockHash" in value and "blockNumber" in value:
            raise bad_argument(index, "cannot specify both BlockHash and BlockNumber, choose one or the other")
        value = value.get("blockHash", value.get("blockNumber"))
        if value is None:
            raise bad_argument(index, "invalid block number or hash")
    if isinstance(value, str) and len(value) == 66:
        return chain.block(fixed_bytes(value, 32, index, "Hash"))
    return block_by_tag(chain, value, index)


def _json_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if value is None:
        return "null"
    return "array" if isinstance(value, list) else "object" if isinstance(value, dict) else "string"
