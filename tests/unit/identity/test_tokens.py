"""Challenges and tokens: one signer, one host, one time, one key."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from schemas.records import AgentAccess
from streams.agents.access import nothing_granted
from streams.identity import tokens as module
from streams.identity.tokens import CHALLENGE_SECONDS, TOKEN_SECONDS, Tokens, key_name, login_message
from tests.identity import Member, member

ALICE, BOB = member(1), member(2)
HOST = "gateway.example"


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def row(of: Member = ALICE, since: int = 1) -> AgentAccess:
    return {**nothing_granted(of.agent), "public_key": of.key.public, "since": since}


def login(tokens: Tokens, of: Member = ALICE, host: str = HOST, place: str = "here") -> tuple[str, bytes]:
    challenge = tokens.challenge(of.agent)
    return challenge, of.key.sign(login_message(place, host, challenge))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(clock: Clock) -> Tokens:
    return Tokens("secret", "here", clock)


def test_a_signed_challenge_becomes_a_token_of_that_agent_and_key(tokens: Tokens, clock: Clock) -> None:
    challenge, signature = login(tokens)
    token = tokens.redeem(ALICE.agent, row(), challenge, HOST, signature)
    assert token is not None
    bearer = tokens.read(token)
    assert bearer is not None
    assert (bearer.agent, bearer.key) == (ALICE.agent, key_name(row()))
    assert bearer.key != key_name(row(since=2)), "the same key registered again is another statement"
    clock.now += TOKEN_SECONDS - 1
    assert tokens.read(token) == bearer
    clock.now += 1
    assert tokens.read(token) is None


def test_a_challenge_is_redeemed_once_and_in_time(tokens: Tokens, clock: Clock) -> None:
    challenge, signature = login(tokens)
    assert tokens.redeem(ALICE.agent, row(), challenge, HOST, signature)
    assert tokens.redeem(ALICE.agent, row(), challenge, HOST, signature) is None
    late, signature = login(tokens)
    clock.now += CHALLENGE_SECONDS
    assert tokens.redeem(ALICE.agent, row(), late, HOST, signature) is None


def test_who_and_where_are_part_of_it(tokens: Tokens) -> None:
    challenge, signature = login(tokens)
    assert tokens.redeem(BOB.agent, row(BOB), challenge, HOST, BOB.key.sign(login_message("here", HOST, challenge))) is None
    assert tokens.redeem(ALICE.agent, row(), challenge, HOST, BOB.key.sign(login_message("here", HOST, challenge))) is None
    assert tokens.redeem(ALICE.agent, row(), challenge, "phish.example", signature) is None
    assert tokens.redeem(ALICE.agent, row(BOB), challenge, HOST, signature) is None
    assert tokens.redeem(ALICE.agent, nothing_granted(ALICE.agent), challenge, HOST, signature) is None
    elsewhere = ALICE.key.sign(login_message("elsewhere", HOST, challenge))
    assert tokens.redeem(ALICE.agent, row(), challenge, HOST, elsewhere) is None
    assert tokens.redeem(ALICE.agent, row(), challenge, HOST, signature), "none of these used it up"


def test_nothing_signed_by_whoever_stands_in_for_nobody(tokens: Tokens) -> None:
    challenge = tokens.challenge(ALICE.agent)
    stand_in = module.SecretKey.from_seed(b"whoever has no key is checked against this one")
    signature = stand_in.sign(login_message("here", HOST, challenge))
    assert tokens.redeem(ALICE.agent, nothing_granted(ALICE.agent), challenge, HOST, signature) is None


def test_altered_and_foreign_ones_are_not_read(tokens: Tokens, clock: Clock) -> None:
    challenge, signature = login(tokens)
    token = tokens.redeem(ALICE.agent, row(), challenge, HOST, signature)
    assert token is not None
    raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for place in range(len(raw)):
        altered = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        assert tokens.read(urlsafe_b64encode(altered).decode()) is None
    for wrong in ("", "x", token[:-1], token + "AAAA", challenge, "é", "=" * 40):
        assert tokens.read(wrong) is None, "a challenge is no token"
    assert tokens.redeem(ALICE.agent, row(), token, HOST, signature) is None, "and a token no challenge"
    assert Tokens("another", "here", clock).read(token) is None
    assert Tokens("secret", "here", clock).read(token) is not None, "of another gateway of the installation"


def test_messages_of_different_parts_never_run_together() -> None:
    assert login_message("a", "bc", "d") != login_message("ab", "c", "d")
    assert login_message("a", "B", "c") == login_message("a", "b", "c"), "host names have no case"


def test_what_is_remembered_is_bounded(tokens: Tokens, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REDEEMED_LIMIT", 2)
    for _ in range(2):
        challenge, signature = login(tokens)
        assert tokens.redeem(ALICE.agent, row(), challenge, HOST, signature)
    challenge, signature = login(tokens)
    assert tokens.redeem(ALICE.agent, row(), challenge, HOST, signature) is None
    clock.now += CHALLENGE_SECONDS
    challenge, signature = login(tokens)
    assert tokens.redeem(ALICE.agent, row(), challenge, HOST, signature)
    assert len(tokens._redeemed) == 1
