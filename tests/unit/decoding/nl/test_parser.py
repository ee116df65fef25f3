from __future__ import annotations

import pytest

from streams.decoding.nl.model import load_metrics
from streams.decoding.nl.parser import default_reader, load_parser
from streams.decoding.reading import Guess
from streams.errors import ConfigurationError


def parse(text: str) -> Guess:
    return default_reader().language.parse(text)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("please swap 2 ETH for USDC", "swap"),
        ("transfer 50 USDC to 0x8ba1f109551bd432803012645ac136ddd64dba72", "transfer"),
        ("stake 32 ETH", "stake"),
        ("bridge 2 ETH to Arbitrum", "bridge"),
        ("vote yes on proposal 42", "vote"),
        ("alert me when ETH drops below 2000", "alert"),
        ("remember that I prefer low slippage", "memory_store"),
        ("forget what I told you about gas", "memory_forget"),
    ],
)
def test_plain_requests(text: str, intent: str) -> None:
    guess = parse(text)
    assert guess.intent == intent
    assert 0.9 < guess.confidence < 1
    assert intent not in dict(guess.alternatives)


@pytest.mark.parametrize(
    "text",
    [
        "don't swap 2 ETH for USDC",
        "should I stake 32 ETH",
        "how do I bridge 2 ETH to Arbitrum",
        "never transfer 50 USDC to bob.eth",
        "what happens if I vote yes on proposal 42",
    ],
)
def test_a_negation_or_question_moves_nothing(text: str) -> None:
    assert parse(text).intent == "unknown"


@pytest.mark.parametrize("text", ["swap my ETH", "transfer 50 USDC", "send everything to bob.eth", "bridge 2 ETH"])
def test_a_request_that_lacks_what_it_needs_is_unknown(text: str) -> None:
    assert parse(text).intent == "unknown"


@pytest.mark.parametrize(
    "text", ["hello", "what's the weather in Paris", "asdf qwer", "", "🙂", "0x", "lorem ipsum dolor sit amet"]
)
def test_what_asks_for_nothing_is_unknown(text: str) -> None:
    guess = parse(text)
    assert guess.intent == "unknown"
    assert guess.slots == {}


def test_alternatives_are_ranked_and_rounded() -> None:
    chances = [chance for _, chance in parse("stake 32 ETH on Lido").alternatives]
    assert len(chances) == 3
    assert chances == sorted(chances, reverse=True)
    assert all(round(chance, 4) == chance for chance in chances)


def test_confidence_of_a_rule_is_its_measured_precision() -> None:
    assert parse("stake 32 ETH").confidence == load_metrics()["rules"]["stake"]["precision"]


def test_a_model_the_vector_weights_were_not_trained_on_is_refused() -> None:
    class Other:
        model, model_hash, backend, dimension = "other", bytes(32), "none", 384

    with pytest.raises(ConfigurationError, match="other"):
        load_parser(Other())  # type: ignore[arg-type]
