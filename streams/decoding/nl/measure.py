"""What is measured about a parser: one function, used by ``train`` and by the tests, so that both mean the same.

accuracy: share of in-scope texts whose best label is right, before thresholds; coverage: share of in-scope texts it gives an
intent for; precision: share of given intents that are right, over in-scope and out-of-scope texts together; value_precision:
the same over value-moving intents; accepted_out_of_scope: share of out-of-scope texts it gives an intent for.
"""

from __future__ import annotations

from collections.abc import Sequence

from streams.decoding.nl.examples import NONE
from streams.decoding.nl.model import Scorer
from streams.decoding.nl.parser import IntentParser
from streams.decoding.nl.roles import VALUE_MOVING
from streams.decoding.nl.rules import RULES, match_rule
from streams.decoding.nl.slots import mask, scan
from streams.decoding.reading import UNKNOWN

Labelled = tuple[str, str]
"""(text, intent or "none")."""


def measure(parser: IntentParser, scorer: Scorer, texts: Sequence[Labelled]) -> dict[str, float]:
    """Metrics, rounded to four places."""
    guesses = [(intent, parser.parse(text).intent) for text, intent in texts]
    inside = [(wanted, got) for wanted, got in guesses if wanted != NONE]
    outside = [got for wanted, got in guesses if wanted == NONE]
    given = [(wanted, got) for wanted, got in guesses if got != UNKNOWN]
    moving = [(wanted, got) for wanted, got in given if got in VALUE_MOVING]
    best = [parser.choose(mask(text, scan(text)), scorer.probabilities(text))[0] for text, intent in texts if intent != NONE]
    return {
        "texts": len(texts),
        "accuracy": _share([intent == got for (intent, _), got in zip(inside, best, strict=True)]),
        "coverage": _share([got != UNKNOWN for _, got in inside]),
        "precision": _share([wanted == got for wanted, got in given]),
        "value_precision": _share([wanted == got for wanted, got in moving]),
        "accepted_out_of_scope": _share([got != UNKNOWN for got in outside]),
    }


def unseen(texts: Sequence[Labelled], learnt: Sequence[str]) -> list[Labelled]:
    """Those of ``texts`` that, with their slots masked, read like none of ``learnt``."""
    known = {mask(text, scan(text)) for text in learnt}
    return [(text, intent) for text, intent in texts if mask(text, scan(text)) not in known]


def measure_rules(texts: Sequence[Labelled]) -> dict[str, dict[str, float]]:
    """For each rule how often it fired and was right; ``precision`` is (right + 1) / (fired + 2), so few cases count little."""
    fired = {rule.name: [0, 0] for rule in RULES}
    for text, intent in texts:
        rule = match_rule(mask(text, scan(text)))
        if rule is not None:
            fired[rule.name][0] += 1
            fired[rule.name][1] += rule.intent == intent
    return {
        name: {"fired": count, "right": right, "precision": round((right + 1) / (count + 2), 4)}
        for name, (count, right) in fired.items()
    }


def _share(hits: Sequence[bool]) -> float:
    return round(sum(hits) / len(hits), 4) if hits else 0.0
