"""How much of the evidence for LoCoMo's questions is found, per agent and with all agents' memories in one pool.

    .venv/bin/python -m perf.locomo [--data FILE] [--fit]

Prints turn recall R@5/10/25/50 and nDCG@10 per category, session recall, and the evidence within budgets of tokens by the
model's tokenizer (of the memories' texts), beside plain dense, plain BM25 and a plain sum of both on the same memories. What is
measured are the gateway's answers, from its stores and by its default settings (``perf.locomo.served``). ``--fit`` fits the
weights of the signals anew, prints what they give on each conversation that was left out of the fit, and writes
``streams/retrieval/weights.json``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from connectors.embedding import open_embedder
from perf.locomo.data import DATA, Conversation, Vectors, load
from perf.locomo.fit import cases_of, fitted
from perf.locomo.rankings import Ranking, bm25, dense, plain_sum
from perf.locomo.score import BUDGETS, CATEGORY, KS, SESSIONS, Table
from perf.locomo.served import gateway
from perf.measure import ROOT
from streams.retrieval.weights import WEIGHTS
from streams.settings import Settings

WEIGHTS_FILE = ROOT / "streams" / "retrieval" / "weights.json"


def scored(asked: Sequence[Conversation], pool: Sequence[Conversation], rank: Ranking, tokens: Mapping[bytes, int]) -> Table:
    """Figures of the questions of ``asked`` against the memories of ``pool``."""
    turn_of = {memory_id: (talk.name, turn) for talk in pool for memory_id, turn in talk.turn_of.items()}
    table = Table()
    for talk in asked:
        turns = set(talk.turns)
        for question in talk.questions:
            found = rank(question.text)
            # A turn of another conversation takes its place and its tokens, and is nobody's evidence.
            names = [turn if name == talk.name else f"{name}/{turn}" for name, turn in map(turn_of.__getitem__, found)]
            table.add(question.category, question.evidence, names, [tokens[i] for i in found], turns)
    return table


def served(
    pool: Sequence[Conversation], vectors: Vectors, tokens: Mapping[bytes, int], weights: Mapping[str, float] = WEIGHTS
) -> Table:
    """Figures of what a gateway answers."""
    agents = [talk.agent for talk in pool]
    with gateway(pool, vectors, weights) as asked:
        return scored(pool, pool, lambda question: asked.ask(agents, question), tokens)


def merged(tables: Sequence[Table]) -> Table:
    total = Table()
    for table in tables:
        for key, rows in table.rows.items():
            total.rows.setdefault(key, []).extend(rows)
    return total


def show(title: str, tables: Mapping[str, Table]) -> None:
    print(f"\n{title}")
    print(f"  {'':28}{'category':>13}{'n':>6}" + "".join(f"{f'R@{k}':>8}" for k in KS) + f"{'nDCG@10':>9}")
    for name, table in tables.items():
        for category in ["all", *CATEGORY.values()] if name == "monmouth" else ["all", "adversarial"]:
            if category in table.rows:
                figures = "".join(f"{x:8.2f}" for x in table.recall(category)) + f"{table.ndcg(category):9.2f}"
                print(f"  {name:28}{category:>13}{len(table.rows[category]):>6}{figures}")
    print(f"  {'sessions found':28}{'':19}" + "".join(f"{f'@{k}':>8}" for k in SESSIONS))
    for name, table in tables.items():
        print(f"  {name:28}{'':19}" + "".join(f"{x:8.2f}" for x in table.sessions()))
    print(f"  {'evidence within tokens':28}{'':19}" + "".join(f"{b:>8,}" for b in BUDGETS))
    for name, table in tables.items():
        print(f"  {name:28}{'':19}" + "".join(f"{x:8.2f}" for x in table.budgets()))


def fit(talks: Sequence[Conversation], vectors: Vectors, tokens: Mapping[bytes, int]) -> None:
    cases = {talk.name: cases_of(talk, vectors) for talk in talks}
    left_out = []
    print("fitted on the other conversations, measured on the one left out:")
    for talk in talks:
        weights = fitted([part for name, part in cases.items() if name != talk.name])
        table = served([talk], vectors, tokens, weights)
        left_out.append(table)
        print(f"  {talk.name:28}{len(talk.questions):>6}" + "".join(f"{x:8.2f}" for x in table.recall()) + f"   {weights}")
    table = merged(left_out)
    print(f"  {'all, each left out once':28}{len(table.rows['all']):>6}" + "".join(f"{x:8.2f}" for x in table.recall()))
    weights = fitted(list(cases.values()))
    made_by = "python -m perf.locomo --fit"
    WEIGHTS_FILE.write_text(json.dumps({"made_by": made_by, "weights": weights}, indent=2) + "\n")
    print(f"weights of all: {weights}\nwritten to {WEIGHTS_FILE.relative_to(ROOT)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--fit", action="store_true")
    options = parser.parse_args()
    if not options.data.exists():
        print(f"skipped: there are no LoCoMo conversations at {options.data}")
        return
    embedder = open_embedder(Settings())
    talks, vectors = load(options.data), Vectors(embedder)
    everything = [memory for talk in talks for memory in talk.memories]
    vectors.of([memory["content"].decode() for memory in everything])
    vectors.of([question.text for talk in talks for question in talk.questions])
    tokens = {memory["id"]: embedder.count_tokens(memory["content"].decode()) for memory in everything}
    print(f"{len(talks)} conversations, {len(everything)} turns, {sum(tokens.values()):,} tokens of text")
    if options.fit:
        fit(talks, vectors, tokens)
        return
    each = [[talk] for talk in talks]
    show("each agent asked of its own memories", compared(each, vectors, tokens))
    show("all agents' memories in one pool", compared([talks], vectors, tokens))


def compared(pools: Sequence[Sequence[Conversation]], vectors: Vectors, tokens: Mapping[bytes, int]) -> dict[str, Table]:
    """The product and the plain rankings, each pool by itself."""
    tables: dict[str, list[Table]] = {}
    for pool in pools:
        tables.setdefault("monmouth", []).append(served(pool, vectors, tokens))
        for name, rank in {
            "plain dense": dense(pool, vectors),
            "plain BM25": bm25(pool),
            "sum with neighbours": plain_sum(pool, vectors),
        }.items():
            tables.setdefault(name, []).append(scored(pool, pool, rank, tokens))
    return {name: merged(parts) for name, parts in tables.items()}


if __name__ == "__main__":
    main()
