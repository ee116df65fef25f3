"""Words as the lexical index counts them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from streams.retrieval.cues import figures
from streams.retrieval.words import raw_words, terms


def test_forms_of_a_word_meet_and_function_words_are_left_out() -> None:
    assert terms("When did she go swimming?") == terms("the swims, going")[::-1]


def test_addresses_meet_their_shortened_form() -> None:
    whole = "0xDEADbeef" + "0" * 32
    assert raw_words(f"sent to {whole}") == ["sent", "to", "0xdeadbeef"] == raw_words("sent to 0xdeadbeef")


def test_accents_possessives_and_encoded_bytes() -> None:
    assert raw_words("Zoë's café") == ["zoe", "cafe"]
    assert raw_words("a" * 41 + " b") == ["b"]
    assert raw_words("数字 42") == ["数字", "42"]
    assert terms("") == []


def test_stemming_is_safe_for_threads() -> None:
    text = "running runners ran swimming flies denied " * 20
    with ThreadPoolExecutor(4) as pool:
        assert set(map(tuple, pool.map(terms, [text] * 64))) == {tuple(terms(text))}


def test_words_with_digits_of_any_script_are_figures() -> None:
    assert figures(["abc", "a1", "m²", "x-y", "0x9f", "٣", ""]) == {"a1", "m²", "0x9f", "٣"}
