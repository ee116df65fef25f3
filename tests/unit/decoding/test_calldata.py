from __future__ import annotations

import pytest

from streams.decoding.agent_abi import AGENT_METHODS
from streams.decoding.calldata import MAX_CALLDATA, MAX_SUFFIX, decode_call
from tests.transactions import PEER, USDC, WETH, call_data

TRANSFER = call_data("transfer(address to,uint256 amount)", PEER, 5)
ARGUMENTS = {
    "storeMemory": (1, b"hello", 2_500, ["a", "b"]),
    "retrieveMemory": (b"\x07" * 32,),
    "forgetMemory": (b"\x07" * 32,),
    "exportMemory": ("json",),
    "query": ("what did I do?",),
    "execute": ("swap 1 ETH for USDC",),
    "learn": ("gas is cheap on Sundays",),
    "collaborate": (PEER, "share your findings"),
    "registerAgent": (b"\x09" * 32,),
}


def test_a_transfer_is_decoded_by_name() -> None:
    call = decode_call(TRANSFER)
    assert call is not None
    assert call.method.signature.canonical == "transfer(address,uint256)"
    assert call.arguments == {"recipient": PEER, "amount": 5}


def test_members_of_a_tuple_stand_beside_plain_arguments() -> None:
    signature = "exactInputSingle((address a,address b,uint24 c,address d,uint256 e,uint256 f,uint256 g,uint160 h) p)"
    call = decode_call(call_data(signature, (USDC, WETH, 500, PEER, 9, 10**6, 1, 0)))
    assert call is not None
    assert call.arguments["token_in"] == USDC
    assert call.arguments["amount_in"] == 10**6


@pytest.mark.parametrize("method", AGENT_METHODS, ids=lambda method: method.intent)
def test_agent_calls_decode_by_hash_and_by_alias_alike(method) -> None:
    name = method.signature.partition("(")[0]
    types = method.signature[len(name) + 1 : -1].split(",")
    named = f"{name}({','.join(f'{t} {n}' for t, n in zip(types, method.names, strict=True))})"
    plain = decode_call(call_data(named, *ARGUMENTS[name]))
    alias = decode_call(call_data(named, *ARGUMENTS[name], selector=bytes.fromhex(method.alias)))
    assert plain == alias
    assert plain is not None
    assert dict(plain.arguments) == dict(zip(method.names, ARGUMENTS[name], strict=True))


@pytest.mark.parametrize("end", [0, 3, 4, 35, 36, 67])
def test_cut_data_is_unknown(end: int) -> None:
    assert decode_call(TRANSFER[:end]) is None


def test_a_dirty_address_is_unknown() -> None:
    assert decode_call(TRANSFER[:4] + b"\x01" + TRANSFER[5:]) is None


def test_a_suffix_is_kept_apart_up_to_its_limit() -> None:
    call = decode_call(TRANSFER + b"ref" * 4)
    assert call is not None
    assert call.suffix == b"ref" * 4
    assert decode_call(TRANSFER + bytes(MAX_SUFFIX + 1)) is None


def test_methods_without_arguments_and_agent_calls_admit_no_suffix() -> None:
    assert decode_call(call_data("mint()")) is not None
    assert decode_call(call_data("mint()") + b"\0") is None
    forget = call_data("forgetMemory(bytes32 id)", bytes(32))
    assert decode_call(forget) is not None
    assert decode_call(forget + b"\0") is None


def test_data_over_the_limit_is_not_decoded() -> None:
    fits = call_data("query(string text)", "x" * (MAX_CALLDATA - 100))
    assert decode_call(fits) is not None
    assert decode_call(call_data("query(string text)", "x" * MAX_CALLDATA)) is None


def test_a_known_selector_with_other_arguments_is_unknown() -> None:
    assert decode_call(TRANSFER[:4] + b"this is no argument list") is None
    assert decode_call(b"\xde\xad\xbe\xef" + bytes(64)) is None
