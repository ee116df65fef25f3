"""One chain record to its intent, slots and sentence: the reading every stream agent shares.

Invariant: a pure function of the record (and of the model files shipped with the package), for hostile records too.
A decoded call has confidence 1; text has the confidence of the language parser; everything else is "unknown" with 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from schemas.records import ChainTransaction
from streams.decoding.action import Action, action_of, native_transfer, slot_text
from streams.decoding.calldata import Call, decode_call
from streams.decoding.features import Features, features_of, number, tags_of
from streams.decoding.flows import flow_text
from streams.decoding.logs import Event, decode_logs
from streams.decoding.text import Phrase, phrase_of, quote, sentence
from streams.decoding.tokens import KNOWN_TOKENS, NATIVE, Money, TokenTable, ether, short

UNKNOWN = "unknown"
MIN_TEXT = 4
MAX_TEXT_BYTES = 8_192
_LANGUAGE_METHODS = frozenset({"query", "execute", "learn", "collaborate"})
_SAYS_VALUE = frozenset({UNKNOWN, "multicall", "multisig", "nft_trade", "mint", "name", "sweep"})
_SHOWS_FLOWS = _SAYS_VALUE | {"swap", "liquidity", "stake", "lend", "vault"}
_COLLECTIBLE_EVENTS = {"transfer": "TransferToken", "approve": "ApprovalToken"}


class Guess(NamedTuple):
    """What the language parser makes of a text. ``alternatives``: best first, the winner among them."""

    intent: str
    confidence: float
    slots: dict[str, str]
    alternatives: tuple[tuple[str, float], ...]


class LanguageParser(Protocol):
    """Text to intent."""

    def parse(self, text: str) -> Guess:
        """The intent of ``text``; "unknown" where it is not sure."""


@dataclass(frozen=True)
class Reading:
    """``values``: typed slots; ``slots``: the same as text; ``method``: signature if the call data was decoded."""

    intent: str
    confidence: float
    method: str | None
    text: str
    slots: dict[str, str]
    features: Features
    tags: list[str]
    values: Mapping[str, Any] = field(default_factory=dict)
    alternatives: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class _Meaning:
    """What the call data says, before logs and status."""

    intent: str
    confidence: float
    phrase: Phrase
    values: Mapping[str, Any]
    method: str | None = None
    guess: Guess | None = None


@dataclass(frozen=True)
class Reader:
    """Reads records of chain.transactions. Stateless; share one."""

    language: LanguageParser
    tokens: TokenTable = field(default_factory=lambda: KNOWN_TOKENS)

    def read(self, transaction: ChainTransaction) -> Reading:
        """The reading of one record."""
        money = Money(transaction["chain_id"], self.tokens)
        events = decode_logs(transaction["logs"])
        meaning = self._meaning(transaction, events, money)
        amounts = [v for k, v in meaning.values.items() if k.startswith("amount") and isinstance(v, int)]
        features = features_of(transaction, meaning.intent, amounts)
        slots = {name: slot_text(value) for name, value in meaning.values.items() if not name.startswith("@")}
        alternatives = meaning.guess.alternatives if meaning.guess else ()
        return Reading(
            intent=meaning.intent,
            confidence=meaning.confidence,
            method=meaning.method,
            text=sentence(
                transaction["sender"], meaning.phrase, transaction["status"], _ending(transaction, meaning, events, money)
            ),
            slots=slots,
            features=features,
            tags=tags_of(meaning.intent, features, transaction["status"], transaction["role"].lower()),
            values=meaning.values,
            alternatives=alternatives,
        )

    def _meaning(self, transaction: ChainTransaction, events: list[Event], money: Money) -> _Meaning:
        data, to, wei = transaction["input"], transaction["to"], number(transaction["value"])
        if to is None:
            values: dict[str, Any] = {"contract": transaction["contract_address"]} if transaction["contract_address"] else {}
            return _Meaning("deploy", 1.0, phrase_of("deploy", values, money), values)
        if not data:
            values = native_transfer(to, wei)
            return _Meaning("transfer", 1.0, phrase_of("transfer", values, money), values)
        call = decode_call(data)
        if call is not None:
            return self._decoded(call, transaction, events, money)
        text = readable(data)
        if text is not None:
            guess = self.language.parse(text)
            written = Phrase("wrote", "write", f"{quote(text)} to {short(to)}")
            return _Meaning(guess.intent, guess.confidence, written, {**guess.slots, "text": text}, guess=guess)
        what = f"unknown method 0x{data[:4].hex()} of {short(to)}" if len(data) >= 4 else f"{short(to)} with 0x{data.hex()}"
        return _Meaning(UNKNOWN, 0.0, Phrase("called", "call", what), {})

    def _decoded(self, call: Call, transaction: ChainTransaction, events: list[Event], money: Money) -> _Meaning:
        sender, to, wei = transaction["sender"], transaction["to"] or b"", number(transaction["value"])
        action = as_seen_in_logs(action_of(call, sender, to, wei), events, money)
        values = {"@to": to, "@sender": sender, **action.values}
        guess = None
        if action.intent in _LANGUAGE_METHODS:
            guess = self.language.parse(values["text"][:MAX_TEXT_BYTES])
            values |= {f"request_{name}": value for name, value in guess.slots.items()}
            values["request"] = guess.intent
        phrase = phrase_of(action.intent, values, money)
        return _Meaning(action.intent, 1.0, phrase, values, call.method.signature.canonical, guess)


def as_seen_in_logs(action: Action, events: list[Event], money: Money) -> Action:
    """Settles what call data alone leaves open: ERC-20 and ERC-721 share ``transferFrom`` and ``approve``; wrapped ether and
    many vaults share ``deposit`` and ``withdraw``.
    """
    token, amount = action.values.get("token"), action.values.get("amount")
    if action.intent in _COLLECTIBLE_EVENTS and amount is not None:
        for event in events:
            if (event.name, event.contract, event.arguments.get("token_id")) == (
                _COLLECTIBLE_EVENTS[action.intent],
                token,
                amount,
            ):
                values = {name: value for name, value in action.values.items() if name != "amount"}
                return Action(action.method, action.intent, {**values, "token_id": amount})
    if action.intent == "wrap" and action.method.signature.name in ("deposit", "withdraw"):
        wraps = any(event.contract == token and event.name in ("Deposit", "Withdrawal") for event in events)
        if not wraps and isinstance(token, bytes) and money.symbol(token) != "WETH":
            out = "action" in action.values
            kept = {"amount": amount} if out else {"amount": amount, "token": NATIVE}
            return Action(action.method, "vault", kept | {"action": "withdraw" if out else "deposit"})
    return action


def readable(data: bytes) -> str | None:
    """Call data as text, if it is that: UTF-8, printable, with letters. Longer text is cut."""
    if len(data) < MIN_TEXT:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    if not all(c.isprintable() or c in "\n\r\t" for c in text) or sum(map(str.isalpha, text)) * 3 < len(text):
        return None
    return text[:MAX_TEXT_BYTES]


def _ending(transaction: ChainTransaction, meaning: _Meaning, events: list[Event], money: Money) -> str:
    wei = number(transaction["value"])
    paid = f" with {ether(wei)}" if wei and meaning.intent in _SAYS_VALUE else ""
    agent = transaction["agent"]
    if transaction["role"] == "SENDER":
        if meaning.intent not in _SHOWS_FLOWS:
            return paid
        came, left = flow_text(events, agent, money)
        moved = [f"receiving {came}"] * bool(came) + [f"giving {left}"] * bool(left)
        return f"{paid}, {' and '.join(moved)}" if moved else paid
    came, left = flow_text(events, agent, money)
    moved = [f"received {came}"] * bool(came) + [f"gave {left}"] * bool(left)
    return f"{paid}; {short(agent)} {' and '.join(moved)}" if moved else paid
