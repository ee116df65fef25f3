"""The benchmark on LoCoMo: its figures are those of the data's own scorer, and the ranking does what is promised of it.

The conversations may be used for evaluation only and are not in the repository: without them these tests are skipped.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

from connectors.embedding import open_embedder
from perf.locomo import __main__ as locomo
from perf.locomo.data import DATA, Conversation, Vectors, load
from perf.locomo.fit import cases_of, fitted
from perf.locomo.rankings import dense
from perf.locomo.score import CATEGORY, Table, ndcg, share, within
from perf.locomo.served import gateway
from streams.errors import ConfigurationError
from streams.retrieval.weights import WEIGHTS
from streams.settings import Settings
from tests.availability import unavailable

SCORER = DATA.with_name("score.py")
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the LoCoMo conversations are not on this machine")


@pytest.fixture(scope="module")
def talk() -> Conversation:
    return next(each for each in load(DATA) if each.name == "conv-30")


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    try:
        return Vectors(open_embedder(Settings()))
    except ConfigurationError as error:
        unavailable(str(error))


def test_shares_and_budgets() -> None:
    assert share([], ["a"]) == 1.0
    assert share(["a", "x"], ["b", "a"]) == 0.5
    assert ndcg(["gone"], ["a"], {"a"}) is None
    assert ndcg(["a"], ["a"], {"a"}) == 1.0
    assert within("abc", [5, 5, 5], 10) == "ab"
    assert within("abc", [5, 5, 5], 4) == ""


@needs_data
def test_figures_equal_those_of_the_datas_own_scorer(
    talk: Conversation, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rankings = {str(i): talk.turns[i % 7 :: 3][:60] for i in range(len(talk.questions))}
    table = Table()
    for i, question in enumerate(talk.questions):
        found = rankings[str(i)]
        table.add(question.category, question.evidence, found, [1] * len(found), set(talk.turns))
    sample = [each for each in json.loads(DATA.read_text()) if each["sample_id"] == talk.name]
    (tmp_path / "data.json").write_text(json.dumps(sample))
    (tmp_path / "rankings.json").write_text(json.dumps({talk.name: rankings}))
    monkeypatch.setattr(sys, "argv", ["score.py", str(tmp_path / "data.json"), str(tmp_path / "rankings.json")])
    runpy.run_path(str(SCORER), run_name="__main__")
    printed = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines()[1:]}
    assert set(printed) == set(table.rows)
    for category in ["all", *CATEGORY.values()]:
        if category in table.rows:
            ours = [len(table.rows[category]), *table.recall(category), table.ndcg(category)]
            assert printed[category] == [str(ours[0]), *(f"{x:.2f}" for x in ours[1:])]


@needs_data
@pytest.mark.model
def test_turns_are_found(talk: Conversation, vectors: Vectors) -> None:
    tokens = {memory["id"]: 1 for memory in talk.memories}
    ours = locomo.served([talk], vectors, tokens)
    plain = locomo.scored([talk], [talk], dense([talk], vectors), tokens)
    assert all(have >= goal for have, goal in zip(ours.recall(), (66, 76, 85, 90), strict=True))
    assert ours.recall("adversarial")[1] >= 80
    assert all(have > other for have, other in zip(ours.recall(), plain.recall(), strict=True))


@needs_data
@pytest.mark.model
def test_an_answer_of_a_few_is_the_beginning_of_that_of_many_and_a_budget_takes_it_whole(
    talk: Conversation, vectors: Vectors
) -> None:
    cost = {memory["id"]: vectors.embedder.count_tokens(memory["content"].decode()) for memory in talk.memories}
    with gateway([talk], vectors) as served:
        for question in talk.questions[::12]:
            most = served.ask([talk.agent], question.text)
            assert len(most) == len(talk.memories)
            assert served.ask([talk.agent], question.text, max_results=10) == most[:10]
            assert set(within(most, [cost[i] for i in most], 2_000)) <= set(
                served.ask([talk.agent], question.text, max_tokens=2_000)
            )


PUBLISHED = (33.2, 42.6, 55.2, 66.3)
"""Turn recall of all-MiniLM-L6-v2 alone, over all ten conversations."""
SPREAD = 6.0
"""Points: these are five of the ten, and the texts hold the captions of pictures."""


@needs_data
@pytest.mark.model
@pytest.mark.slow
def test_the_embedder_alone_is_as_good_as_published(vectors: Vectors) -> None:
    talks = load(DATA)
    tables = [
        locomo.scored([each], [each], dense([each], vectors), {memory["id"]: 1 for memory in each.memories}) for each in talks
    ]
    found = locomo.merged(tables).recall()
    assert all(abs(ours - theirs) <= SPREAD for ours, theirs in zip(found, PUBLISHED, strict=True))


@needs_data
@pytest.mark.model
@pytest.mark.slow
def test_weights_carry_over_to_a_conversation_they_were_not_fitted_on(talk: Conversation, vectors: Vectors) -> None:
    others = [each for each in load(DATA) if each.name != talk.name]
    weights = fitted([cases_of(each, vectors) for each in others])
    table = locomo.served([talk], vectors, {memory["id"]: 1 for memory in talk.memories}, weights)
    assert weights != {name: WEIGHTS[name] for name in weights}
    assert all(have >= goal for have, goal in zip(table.recall(), (66, 76, 85, 90), strict=True))
    assert table.recall("adversarial")[1] >= 80


def test_without_the_data_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["locomo", "--data", str(tmp_path / "none.json")])
    locomo.main()
    assert capsys.readouterr().out.startswith("skipped: there are no LoCoMo conversations")
