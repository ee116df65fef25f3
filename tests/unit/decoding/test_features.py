from __future__ import annotations

import pytest

from streams.decoding.features import GWEI, WEI, complexity, features_of, gas_class, importance, priority, tags_of, value_class
from tests.transactions import chain_transaction, number


@pytest.mark.parametrize(
    ("wei", "name"),
    [
        (0, "zero"),
        (1, "small"),
        (WEI - 1, "small"),
        (WEI, "medium"),
        (10 * WEI, "large"),
        (100 * WEI - 1, "large"),
        (100 * WEI, "whale"),
    ],
)
def test_value_classes(wei: int, name: str) -> None:
    assert value_class(wei) == name


@pytest.mark.parametrize(
    ("gwei", "name"), [(0, "low"), (9, "low"), (10, "medium"), (50, "high"), (199, "high"), (200, "urgent")]
)
def test_gas_classes(gwei: int, name: str) -> None:
    assert gas_class(gwei * GWEI) == name


def test_complexity_by_size() -> None:
    assert [complexity(bytes(size)) for size in (0, 1, 100, 101)] == ["none", "simple", "simple", "complex"]


def test_priority_is_the_documented_product() -> None:
    assert priority("swap", []) == 1.5
    assert priority("transfer", [10, 0]) == pytest.approx(1.2)
    assert priority("stake", [1000, 10**18]) == pytest.approx(1.2 * 1.4 * 2.9)


@pytest.mark.parametrize(("intent", "expected"), [("swap", 1.5), ("liquidity", 1.3), ("stake", 1.2), ("transfer", 1.0)])
def test_priority_of_a_record_weighs_its_gas_value_and_amounts(intent: str, expected: float) -> None:
    transaction = chain_transaction(gas_used=100_000, value=number(10 * WEI))
    found = features_of(transaction, intent, [1_000, 0]).priority
    assert found == pytest.approx(expected * 1.6 * 3.0 * 1.4, abs=1e-3)


def test_importance_adds_what_it_says() -> None:
    assert importance("transfer", 0, 21_000, 1) == 0.2
    assert importance("transfer", 0, 21_000, 0) == 0.3
    assert importance("swap", 999 * WEI, 2_100_000, 0) == 1.0
    assert importance("swap", 10**9 * WEI, 10**9, 0) == 1.0
    assert importance("unknown", 0, 0, None) == 0.1
    assert importance("transfer", 9 * WEI, 210_000, 1) == pytest.approx(0.2 + 0.4 / 3 + 0.1, abs=1e-4)


def test_features_and_tags_of_a_record() -> None:
    data = bytes.fromhex("a9059cbb") + bytes(200)
    transaction = chain_transaction(
        value=number(150 * WEI),
        input=data,
        gas_used=1_500_000,
        status=0,
        nonce=bytes(8),
        max_priority_fee_per_gas=number(60 * GWEI),
    )
    features = features_of(transaction, "transfer", [5])
    assert (features.value_class, features.gas_class, features.complexity) == ("whale", "high", "complex")
    assert features.token_transfer
    assert features.gas_heavy
    assert features.first_transaction
    assert tags_of("transfer", features, 0, "sender", "transfer") == [
        "transfer", "sender", "failed", "value:whale", "complex", "gas-heavy",
    ]  # fmt: skip


def test_gas_price_stands_in_for_the_tip_before_there_were_tips() -> None:
    transaction = chain_transaction(max_priority_fee_per_gas=None, gas_price=number(300 * GWEI))
    assert features_of(transaction, "transfer").gas_class == "urgent"
