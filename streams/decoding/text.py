"""One plain English sentence for what an action did.

Invariant: deterministic, one line, at most MAX_TEXT characters; what strangers wrote appears between quotation marks only.
A phrase is (past, base, rest): "sent" / "send", "1 ETH to 0x1234abcd…", so that a failed attempt can be told too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from streams.decoding.tokens import Money, short

MAX_TEXT = 1_200
MAX_QUOTE = 600
UNLIMITED = 2**255
"""Allowances from here on are what wallets mean by "unlimited"."""


class Phrase(NamedTuple):
    """Verb in past tense and base form, and the rest of the sentence."""

    past: str
    base: str
    rest: str


Values = Mapping[str, Any]


def quote(text: str) -> str:
    """Strangers' text on one line between quotation marks, cut to MAX_QUOTE characters, its own marks made single."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * MAX_QUOTE]).replace('"', "'").split())
    return f'"{clean if len(clean) <= MAX_QUOTE else clean[: MAX_QUOTE - 1] + "…"}"'


def quote_bytes(content: bytes) -> str:
    """``quote`` for bytes that are UTF-8 text; otherwise their size."""
    try:
        return quote(content.decode())
    except UnicodeDecodeError:
        return f"{len(content)} bytes"


def _amount(values: Values, money: Money) -> str:
    return money.text(values["amount"], values.get("token"))


def _name(values: Values, slot: str) -> str:
    found = values.get(slot)
    return short(found) if isinstance(found, bytes) else "an unknown party"


def _transfer(values: Values, money: Money) -> Phrase:
    token, amount = values.get("token"), values.get("amount")
    if "token_id" in values and isinstance(token, bytes):
        many = f"{amount} of " if isinstance(amount, int) else ""
        what = f"{many}NFT {values['token_id']} of collection {short(token)}"
    else:
        what = _amount(values, money)
    source = f" from {short(values['owner'])}" if values.get("owner", values.get("@sender")) != values.get("@sender") else ""
    return Phrase("sent", "send", f"{what}{source} to {_name(values, 'recipient')}")


def _approve(values: Values, money: Money) -> Phrase:
    spender, token = _name(values, "spender"), money.symbol(values.get("token", b""))
    if values.get("amount") == 0 or values.get("approved") is False or values.get("action") == "decrease":
        less = "reduced" if values.get("action") else "revoked"
        return Phrase(less, less[:-1] if values.get("action") else "revoke", f"the allowance of {spender} over {token}")
    if "approved" in values or values["amount"] >= UNLIMITED:
        return Phrase("gave", "give", f"{spender} unlimited allowance over {token}")
    return Phrase("let", "let", f"{spender} spend {_amount(values, money)}")


def _swap(values: Values, money: Money) -> Phrase:
    def side(exact: str, bound: str, word: str, token: str) -> str:
        if exact in values:
            return money.text(values[exact], values.get(token))
        if values.get(bound):
            return f"{word} {money.text(values[bound], values.get(token))}"
        return money.symbol(values[token]) if token in values else "another token"

    given = side("amount_in", "amount_in_max", "up to", "token_in")
    taken = side("amount_out", "amount_out_min", "at least", "token_out")
    return Phrase("swapped", "swap", f"{given} for {taken}")


def _liquidity(values: Values, money: Money) -> Phrase:
    pair = (
        " and ".join(money.symbol(values[s]) for s in ("token_a", "token_b") if s in values)
        or f"position {values.get('position')}"
    )
    if values["action"] == "remove":
        return Phrase("removed", "remove", f"liquidity from {pair}")
    if values["action"] == "collect":
        return Phrase("collected", "collect", f"the fees of {pair}")
    amounts = [money.text(values[f"amount_{s}"], values.get(f"token_{s}")) for s in "ab" if f"amount_{s}" in values]
    to = f" to {pair}" if "position" in values else ""
    return Phrase("added", "add", f"liquidity of {' and '.join(amounts)}{to}")


def _stake(values: Values, money: Money) -> Phrase:
    what, where = _what(values, money), f" with contract {_name(values, '@to')}"
    match values.get("action"):
        case "unstake":
            return Phrase("unstaked", "unstake", f"{what}{where}")
        case "claim":
            return Phrase("claimed", "claim", f"staking rewards{where}")
        case _:
            return Phrase("staked", "stake", f"{what}{where}")


_LEND = {
    "supply": ("supplied", "supply", "to"),
    "withdraw": ("withdrew", "withdraw", "from"),
    "borrow": ("borrowed", "borrow", "from"),
    "repay": ("repaid", "repay", "to"),
    "liquidate": ("liquidated", "liquidate", "on"),
    "flash_loan": ("flash borrowed", "flash borrow", "from"),
}


def _lend(values: Values, money: Money) -> Phrase:
    past, base, word = _LEND[values["action"]]
    return Phrase(past, base, f"{_what(values, money)} {word} lending market {_name(values, '@to')}")


def _vault(values: Values, money: Money) -> Phrase:
    past, base, word = ("deposited", "deposit", "into") if values["action"] == "deposit" else ("withdrew", "withdraw", "from")
    return Phrase(past, base, f"{_what(values, money)} {word} vault {_name(values, '@to')}")


def _wrap(values: Values, money: Money) -> Phrase:
    past, base = ("unwrapped", "unwrap") if values.get("action") else ("wrapped", "wrap")
    return Phrase(past, base, _amount(values, money))


def _what(values: Values, money: Money) -> str:
    amount = values.get("amount")
    if not isinstance(amount, int):
        return "assets"
    return "everything" if amount >= UNLIMITED else _amount(values, money)


def _vote(values: Values, _money: Money) -> Phrase:
    match values.get("action"):
        case "delegate":
            return Phrase("delegated", "delegate", f"votes to {_name(values, 'delegate')}")
        case "propose":
            return Phrase("proposed", "propose", quote(values["text"]))
    side = {0: "against", 1: "for", 2: "to abstain on"}.get(int(values["support"]), f"option {int(values['support'])} on")
    reason = f" because {quote(values['reason'])}" if values.get("reason") else ""
    return Phrase("voted", "vote", f"{side} proposal {values['proposal']}{reason}")


def _bridge(values: Values, money: Money) -> Phrase:
    to = f" to {short(values['recipient'])}" if "recipient" in values else ""
    return Phrase("bridged", "bridge", f"{_what(values, money)}{to} through {_name(values, '@to')}")


def _memory_store(values: Values, _money: Money) -> Phrase:
    kind = ("short-term", "long-term", "working", "episodic", "semantic")
    named = kind[values["kind"]] if values["kind"] < len(kind) else f"kind {values['kind']}"
    return Phrase("stored", "store", f"a {named} memory: {quote_bytes(values['content'])}")


def _linked(values: Values) -> str:
    relation = f" as {quote(values['relation'])}" if values["relation"] else ""
    return f"memory {short(values['source'])} to {short(values['target'])}{relation}"


def _mint(values: Values, money: Money) -> Phrase:
    return Phrase("minted", "mint", _what(values, money) if "amount" in values else money.symbol(values["token"]))


def _burn(values: Values, money: Money) -> Phrase:
    return Phrase("burned", "burn", _what(values, money))


def _plain(past: str, base: str, rest: Callable[[Values], str]) -> Callable[[Values, Money], Phrase]:
    return lambda values, _: Phrase(past, base, rest(values))


PHRASES: Mapping[str, Callable[[Values, Money], Phrase]] = {
    "transfer": _transfer,
    "approve": _approve,
    "swap": _swap,
    "liquidity": _liquidity,
    "stake": _stake,
    "lend": _lend,
    "vault": _vault,
    "wrap": _wrap,
    "vote": _vote,
    "bridge": _bridge,
    "mint": _mint,
    "burn": _burn,
    "multicall": _plain("sent", "send", lambda v: f"a batch of {len(v.get('calls', ()))} calls to {_name(v, '@to')}"),
    "multisig": _plain("executed", "execute", lambda v: f"a multisig call to {_name(v, 'recipient')}"),
    "sweep": _plain("swept", "sweep", lambda v: f"leftovers from {_name(v, '@to')}"),
    "nft_trade": _plain("traded", "trade", lambda v: f"NFTs through {_name(v, '@to')}"),
    "name": _plain("registered", "register", lambda v: f"the name {quote(v['name'])}"),
    "ownership": _plain("handed", "hand", lambda v: f"ownership of {_name(v, '@to')} to {_name(v, 'recipient')}"),
    "deploy": _plain("deployed", "deploy", lambda v: f"contract {short(v['contract'])}" if "contract" in v else "a contract"),
    "memory_store": _memory_store,
    "memory_retrieve": _plain("retrieved", "retrieve", lambda v: f"memory {short(v['memory_id'])}"),
    "memory_forget": _plain("forgot", "forget", lambda v: f"memory {short(v['memory_id'])}"),
    "memory_link": _plain("linked", "link", _linked),
    "memory_invalidate": _plain("declared", "declare", lambda v: f"memory {short(v['memory_id'])} no longer true"),
    "memory_supersede": _plain(
        "replaced", "replace", lambda v: f"memory {short(v['memory_id'])} by {quote_bytes(v['content'])}"
    ),
    "memory_merge": _plain("merged", "merge", lambda v: f"{len(v['memory_ids'])} memories into {quote_bytes(v['content'])}"),
    "memory_export": _plain("exported", "export", lambda v: f"its memories as {quote(v['format'])}"),
    "query": _plain("asked", "ask", lambda v: quote(v["text"])),
    "execute": _plain("ordered", "order", lambda v: quote(v["text"])),
    "learn": _plain("learned", "learn", lambda v: quote(v["text"])),
    "collaborate": _plain("invited", "invite", lambda v: f"{short(v['peer'])} to collaborate: {quote(v['text'])}"),
    "register_agent": _plain("registered", "register", lambda v: f"as agent {short(v['agent_id'])}"),
}


def phrase_of(intent: str, values: Values, money: Money) -> Phrase:
    """The phrase for a decoded action."""
    return PHRASES[intent](values, money)


def sentence(sender: bytes, phrase: Phrase, status: int | None, ending: str = "") -> str:
    """Puts it together. ``status`` 0: it failed; ``ending`` goes before the full stop of what succeeded."""
    if status == 0:
        text = f"{short(sender)} tried to {phrase.base} {phrase.rest}, but the transaction failed"
    else:
        text = f"{short(sender)} {phrase.past} {phrase.rest}{ending}"
    if len(text) >= MAX_TEXT:
        text = text[: MAX_TEXT - 1] + "…"
    return text if text.endswith("…") else f"{text}."
