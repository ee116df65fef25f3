"""What scripted agents write down: a sentence, and a question that this sentence answers.

Invariant: two notes with the same question are about the same subject, so at most one of them may be live where the question
must have one right answer.
"""

from __future__ import annotations

from random import Random
from string import Formatter
from typing import NamedTuple

SHORT_TERM, LONG_TERM, WORKING, EPISODIC, SEMANTIC = range(5)


class Note(NamedTuple):
    """``kind`` is the memory type code, ``importance`` in basis points, ``topic`` names the template."""

    content: str
    question: str
    kind: int
    importance: int
    tags: tuple[str, ...]
    topic: str


class Template(NamedTuple):
    """Sentence forms that say the same, and the question. Slots are named after a pool, with an optional digit."""

    topic: str
    kind: int
    contents: tuple[str, ...]
    question: str


POOLS: dict[str, tuple[str, ...]] = {
    "name": (
        "Amara", "Bogdan", "Chiara", "Dmitri", "Esther", "Farid", "Greta", "Hiroshi", "Ingrid", "Joaquin", "Kavya", "Lucien",
        "Mireille", "Nadia", "Oskar", "Priya", "Quentin", "Rosalind", "Sanjay", "Tomasz", "Ulrike", "Valentina", "Wanjiru",
        "Xiomara", "Yusuf", "Zofia",
    ),
    "firm": (
        "Harbor Lane Capital", "Blue Heron Labs", "Quarry Street", "Northwind Custody", "Osprey Research", "Copper Kettle",
        "Saltmarsh Partners", "Juniper Works",
    ),
    "desk": ("lending", "options", "treasury", "compliance", "market making", "custody", "research", "bridge operations"),
    "channel": ("Signal", "the night pager", "a shared inbox", "Matrix", "the weekly call", "a landline in Lisbon"),
    "drink": ("jasmine tea", "black coffee", "oat milk latte", "ginger ale", "cold brew", "hot chocolate", "mint tea"),
    "time": ("breakfast", "long flights", "late night incidents", "board meetings", "Sunday reviews", "release days"),
    "token": ("USDC", "WETH", "DAI", "LINK", "MON"),
    "pool": ("WETH/USDC", "DAI/USDC", "LINK/WETH", "MON/USDC", "MON/WETH"),
    "month": (
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ),
    "weekday": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "amount": ("250", "400", "750", "1,200", "3,000", "4,500", "8,000", "12,500", "20,000", "65,000"),
    "percent": ("0.2", "0.4", "0.75", "1.1", "1.5", "2.25", "3.0", "4.8"),
    "event": (
        "oracle updates arrive late", "Asian markets open", "a governance vote closes", "gas climbs above 90 gwei",
        "the bridge pauses", "funding rates flip negative", "a large unlock is due",
    ),
    "symptom": ("thin liquidity", "wide spreads", "sudden volume", "sandwich attacks", "stale prices", "steady arbitrage"),
    "strategy": (
        "the covered call ladder", "the stable basket", "the staking sleeve", "the hedge book", "the grant reserve",
        "the insurance fund",
    ),
    "protocol": ("Lighthouse", "Tidepool", "Marrow", "Cedar Vault", "Papyrus", "Foxglove", "Anvil Street"),
    "reason": (
        "the merkle proof had expired", "the nonce was reused", "the claim window closed a day early",
        "the multisig lacked a third signer", "the calldata was cut at 4 kilobytes", "the relayer ran out of gas",
    ),
    "city": ("Lisbon", "Nairobi", "Osaka", "Tallinn", "Montevideo", "Halifax", "Leipzig", "Hanoi", "Valparaiso", "Bergen"),
    "skill": (
        "pricing exotic options", "spotting wash trading", "translating audit reports", "routing orders across chains",
        "summarising governance forums", "negotiating over the counter trades",
    ),
    "animal": ("a greyhound", "two parrots", "an axolotl", "a rescued tortoise", "three hens", "a Siberian cat"),
    "language": ("Portuguese", "Swahili", "Estonian", "Japanese", "Polish", "Vietnamese", "French"),
}  # fmt: skip

TEMPLATES: tuple[Template, ...] = (
    Template(
        "preference", SEMANTIC,
        ("{name} prefers {drink} for {time}.", "For {time}, {name} always asks for {drink}."),
        "What does {name} like to drink for {time}?",
    ),
    Template(
        "contact", LONG_TERM,
        ("{name} runs the {desk} desk at {firm} and answers on {channel}.",
         "To reach the {desk} desk at {firm}, contact {name} over {channel}."),
        "Who is the contact at the {desk} desk of {firm}?",
    ),
    Template(
        "goal", WORKING,
        ("Goal: grow the {token} position to {amount} tokens before the end of {month}.",
         "By the end of {month} the {token} position should reach {amount} tokens."),
        "How large should the {token} position be by the end of {month}?",
    ),
    Template(
        "pool", EPISODIC,
        ("The {pool} pool shows {symptom} whenever {event}.", "Noticed {symptom} in the {pool} pool each time {event}."),
        "When does the {pool} pool show {symptom}?",
    ),
    Template(
        "limit", LONG_TERM,
        ("Never send more than {amount} {token} to {firm} in one day.",
         "The daily limit for {token} transfers to {firm} is {amount}."),
        "What is the daily limit for sending {token} to {firm}?",
    ),
    Template(
        "schedule", LONG_TERM,
        ("Rebalance {strategy} every {weekday} with {name} watching.",
         "{name} wants {strategy} rebalanced on each {weekday}."),
        "On which day does {name} want {strategy} rebalanced?",
    ),
    Template(
        "failure", EPISODIC,
        ("The {protocol} claim for {month} failed because {reason}.",
         "Lesson from {month}: the {protocol} claim did not go through since {reason}."),
        "Why did the {protocol} claim for {month} fail?",
    ),
    Template(
        "slippage", SHORT_TERM,
        ("Slippage tolerance on {pool} is {percent} percent while {event}.",
         "While {event}, accept at most {percent} percent slippage on {pool}."),
        "How much slippage is acceptable on {pool} while {event}?",
    ),
    Template(
        "home", SEMANTIC,
        ("{name} of {firm} lives in {city} with {animal}.", "{name} from {firm} moved to {city} and keeps {animal}."),
        "Where does {name} of {firm} live?",
    ),
    Template(
        "skill", SEMANTIC,
        ("{firm} has an agent that is good at {skill}.", "For {skill}, ask the agent of {firm}."),
        "What is the agent of {firm} good at?",
    ),
    Template(
        "language", SEMANTIC,
        ("{name} on the {desk} desk writes only in {language}.", "Write to {name} of the {desk} desk in {language}."),
        "Which language should be used with {name} on the {desk} desk?",
    ),
    Template(
        "meeting", SHORT_TERM,
        ("Meet {name} in {city} on {weekday} to talk about {protocol}.",
         "{weekday}: appointment with {name} in {city}, subject {protocol}."),
        "Where is the meeting with {name} about {protocol}?",
    ),
)  # fmt: skip

LEARNED = (
    "Lesson: batching approvals with the {token} swap saved {percent} percent of gas.",
    "Learned that {protocol} pauses withdrawals when {event}.",
    "Feedback: quotes from {pool} were off by {percent} percent because {event}.",
)
ASKED = (
    "What is the current price impact for {amount} {token} on {pool}?",
    "Which pools paid the most fees in {month}?",
    "Summarise what {firm} asked for last week.",
)
ORDERED = (
    "Swap {amount} {token} on {pool} if slippage stays under {percent} percent.",
    "Close every open order on {pool} when {event}.",
    "Pay {amount} {token} to {name} at {firm}.",
)
PROPOSED = (
    "Let us share price feeds for {pool} during {month}.",
    "I can help with {skill} if you cover gas on {weekday}.",
    "Shall we provide liquidity to {pool} together?",
)
SAID = (
    "gm, please move {amount} {token} to the treasury before {weekday}",
    "Heads up: {symptom} on {pool} since this morning, {event}",
    "Thanks {name}, the {protocol} invoice is settled with this transfer",
)


def write_note(rng: Random) -> Note:
    """A note from a random template."""
    template = rng.choice(TEMPLATES)
    form = rng.choice(template.contents)
    slots = _draw(rng, form + template.question)
    tags = (template.topic, next(iter(slots.values())).lower())
    importance = rng.randrange(10, 100) * 100
    return Note(form.format(**slots), template.question.format(**slots), template.kind, importance, tags, template.topic)


def write_line(rng: Random, forms: tuple[str, ...]) -> str:
    """A sentence from one of the lists above."""
    form = rng.choice(forms)
    return form.format(**_draw(rng, form))


def _draw(rng: Random, form: str) -> dict[str, str]:
    names = dict.fromkeys(name for _, name, _, _ in Formatter().parse(form) if name)
    return {name: rng.choice(POOLS[name]) for name in names}
