"""Reading the arguments of calls: block tags, numbers, hashes, addresses. Wrong forms raise RpcError with geth's code."""

from __future__ import annotations

from typing import Any

import orjson

from connectors.chain.devchain.block import Block
from connectors.chain.devchain.chain import DevChain
from connectors.chain.devchain.rpc_errors import INVALID_PARAMS, SERVER_ERROR, RpcError, bad_argument

PENDING = "pending"
PREFIXES = ("0x", "0X")
HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
MAX_NUMBER = 2**63 - 1
TAGS = ("earliest", "latest", "safe", "finalized", PENDING)


def fixed_bytes(value: Any, size: int, index: int, kind: str) -> bytes:
    """Exactly ``size`` bytes from 0x-hex."""
    if not isinstance(value, str):
        raise _bad_type(index, "non-string", f"common.{kind}")
    if value and value[:2] not in PREFIXES:
        raise _bad_type(index, "hex string without 0x prefix", f"common.{kind}")
    digits = value[2:]
    if len(digits) % 2:
        raise _bad_type(index, "hex string of odd length", f"common.{kind}")
    if len(digits) != 2 * size:
        raise bad_argument(index, f"hex string has length {len(digits)}, want {2 * size} for common.{kind}")
    if not HEX_DIGITS.issuperset(digits):
        raise _bad_type(index, "invalid hex string", f"common.{kind}")
    return bytes.fromhex(digits)


def quantity(value: str, index: int) -> int:
    """A number from minimal 0x-hex."""
    if not value:
        raise bad_argument(index, "empty hex string")
    if value[:2] not in PREFIXES:
        raise bad_argument(index, "hex string without 0x prefix")
    digits = value[2:]
    if not digits:
        raise bad_argument(index, 'hex string "0x"')
    if len(digits) > 1 and digits[0] == "0":
        raise bad_argument(index, "hex number with leading zero digits")
    if len(digits) > 16 and HEX_DIGITS.issuperset(digits[:16]):
        raise bad_argument(index, "hex number > 64 bits")
    if not HEX_DIGITS.issuperset(digits):
        raise bad_argument(index, "invalid hex string")
    return int(digits, 16)


def block_by_tag(chain: DevChain, value: Any, index: int) -> Block | None:
    """The canonical block a tag or number names; ``pending`` counts as the latest. None: no such height yet."""
    return _by_text(
        chain, value if isinstance(value, str) else orjson.dumps(value).decode(), index, "block number larger than int64"
    )


def block_by_any(chain: DevChain, value: Any, index: int) -> Block | None:
    """A tag, a number, a hash or an EIP-1898 object; a hash finds blocks of any branch."""
    if isinstance(value, dict):
        return _by_object(chain, value, index)
    if not isinstance(value, str):
        raise _bad_type(index, _json_kind(value), "string")
    if len(value) == 66:
        return chain.block(fixed_bytes(value, 32, index, "Hash"))
    return _by_text(chain, value, index, "blocknumber too high")


def _by_object(chain: DevChain, value: dict[str, Any], index: int) -> Block | None:
    named, number = value.get("blockHash"), value.get("blockNumber")
    if named is not None and number is not None:
        raise bad_argument(index, "cannot specify both BlockHash and BlockNumber, choose one or the other")
    if named is None and number is None:
        raise bad_argument(index, "must specify either BlockHash or BlockNumber")
    try:
        if named is None:
            return block_by_tag(chain, number, index)
        block = chain.block(fixed_bytes(named, 32, index, "Hash"))
    except RpcError as error:
        if error.code != INVALID_PARAMS:
            raise
        raise _bad_type(index, "object", "string") from None  # its reader tries an object first, and then a string
    if block is not None and value.get("requireCanonical") is True and not chain.is_canonical(block):
        raise RpcError(SERVER_ERROR, "hash is not currently canonical")
    return block


def _by_text(chain: DevChain, value: str, index: int, too_large: str) -> Block | None:
    if value in {"safe", "finalized"}:
        block = chain.safe if value == "safe" else chain.final
        if block is None:
            raise RpcError(SERVER_ERROR, f"{value} block not found")
        return block
    if value in TAGS:
        return chain.at(0) if value == "earliest" else chain.head
    number = quantity(value, index)
    if number > MAX_NUMBER:
        raise bad_argument(index, too_large)
    return chain.at(number)


def _bad_type(index: int, found: str, wanted: str) -> RpcError:
    return bad_argument(index, f"json: cannot unmarshal {found} into Go value of type {wanted}")


def flag(value: Any, index: int) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise _bad_type(index, _json_kind(value), "bool")
    return value


def _json_kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "array" if isinstance(value, list) else "object" if isinstance(value, dict) else "string"
