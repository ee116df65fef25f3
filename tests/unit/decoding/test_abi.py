from __future__ import annotations

import pytest
from eth_abi import encode

from streams.decoding.abi import LayoutError, encoded_size, parse_signature
from streams.decoding.calldata import decode_arguments

NESTED = parse_signature("f((address a, uint256[] b)[] xs, bytes data, uint8[3] k, (uint256 x, string s) pair, string[] tags)")
VALUES = [[("0x" + "11" * 20, [1, 2]), ("0x" + "22" * 20, [])], b"abc", [1, 2, 3], (7, "é"), ["a", "", "b" * 40]]


def test_signatures_are_canonical_and_named() -> None:
    assert NESTED.canonical == "f((address,uint256[])[],bytes,uint8[3],(uint256,string),string[])"
    assert [p.name for p in NESTED.parameters] == ["xs", "data", "k", "pair", "tags"]
    assert parse_signature("mint()").selector.hex() == "1249c58b"
    event = parse_signature("Transfer(address indexed sender, address indexed recipient, uint256 amount)")
    assert event.hash.hex() == "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    assert [p.indexed for p in event.parameters] == [True, True, False]


@pytest.mark.parametrize("text", ["", "f(", "f(uint256", "f(uint256 a))", "f(uint256 a) x", "f uint256", "f(uint256 a;)"])
def test_what_is_no_signature_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_signature(text)


def test_size_of_a_nested_encoding_is_all_of_it_and_any_cut_is_noticed() -> None:
    data = encode([p.type for p in NESTED.parameters], VALUES)
    assert encoded_size(NESTED.parameters, data) == len(data)
    assert encoded_size(NESTED.parameters, data + b"rest") == len(data)
    for end in range(0, len(data), 32):
        with pytest.raises(LayoutError):
            encoded_size(NESTED.parameters, data[:end])


def test_values_come_back_with_addresses_as_bytes() -> None:
    data = encode([p.type for p in NESTED.parameters], VALUES)
    decoded = decode_arguments(NESTED.parameters, data)
    assert decoded is not None
    assert decoded[0][0] == (b"\x11" * 20, [1, 2])
    assert decoded[3:] == ((7, "é"), ["a", "", "b" * 40])


def test_tails_that_share_bytes_are_refused_before_they_are_copied() -> None:
    """A thousand pointers to one big string would be copied a thousand times by a general decoder."""
    signature = parse_signature("f(string[] tags)")
    honest = encode(["string[]"], [["x" * 32, "y" * 32]])
    assert decode_arguments(signature.parameters, honest) is not None
    shared = bytearray(honest)
    shared[96:128] = shared[64:96]
    assert decode_arguments(signature.parameters, bytes(shared)) is None
    with pytest.raises(LayoutError):
        encoded_size(signature.parameters, bytes(shared))


@pytest.mark.parametrize(
    ("signature", "data"),
    [
        ("f(uint256[] a)", (32).to_bytes(32, "big") + (2**40).to_bytes(32, "big")),
        ("f(uint256[][] a)", (32).to_bytes(32, "big") + (10).to_bytes(32, "big") + bytes(320)),
        ("f(bytes a)", (0).to_bytes(32, "big") * 3),
        ("f(address a)", b"\xff" * 32),
        ("f(bool a)", (2).to_bytes(32, "big")),
        ("f(uint8 a)", (256).to_bytes(32, "big")),
        ("f(string a)", (32).to_bytes(32, "big") + (1).to_bytes(32, "big") + b"\xff" + bytes(31)),
        ("f(bytes a)", (32).to_bytes(32, "big") + (1).to_bytes(32, "big") + b"ab" + bytes(30)),
    ],
    ids=[
        "length bomb",
        "pointer loop",
        "pointer to itself",
        "dirty address",
        "dirty bool",
        "too wide",
        "not UTF-8",
        "dirty pad",
    ],
)
def test_what_no_compiler_writes_is_refused(signature: str, data: bytes) -> None:
    assert decode_arguments(parse_signature(signature).parameters, data) is None
