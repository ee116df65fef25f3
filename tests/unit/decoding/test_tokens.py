from __future__ import annotations

import pytest

from streams.decoding.tokens import Money, decimal_text, ether
from tests.transactions import CONTRACT, USDC, WETH


@pytest.mark.parametrize(
    ("amount", "decimals", "text"),
    [
        (0, 18, "0"),
        (1, 0, "1"),
        (10**18, 18, "1"),
        (1_500_000, 6, "1.5"),
        (-1_500_000, 6, "-1.5"),
        (1_999_999_999, 9, "1.999999"),
    ],
)
def test_amounts_are_cut_to_six_places(amount: int, decimals: int, text: str) -> None:
    assert decimal_text(amount, decimals) == text


def test_dust_is_shown_in_wei() -> None:
    assert ether(10**12 - 1) == "999999999999 wei"
    assert ether(10**12) == "0.000001 ETH"
    assert ether(0) == "0 ETH"


def test_units_are_shown_only_where_decimals_are_known() -> None:
    money = Money(1)
    assert money.text(2_500_000, USDC) == "2.5 USDC"
    assert money.text(1, WETH) == "1 units of WETH"
    assert money.text(7, CONTRACT) == "7 units of token 0xc3c3c3c3…"
    assert money.text(7, None) == "7 units"
    assert money.text(10**18, bytes.fromhex("ee" * 20)) == "1 ETH"
    assert Money(1337).text(2_500_000, USDC) == "2500000 units of token 0xa0b86991…"
