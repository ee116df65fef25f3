"""Agents with keys, and what tests show to a gateway: the one place that knows how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from blake3 import blake3

from schemas.defaults import plain_command
from schemas.records import CommandOp, MemoryCommand
from streams.identity.binding import Account, Place
from streams.identity.bls import SecretKey
from streams.identity.operator import load_or_create_operator_token
from streams.serving.commands import KafkaCommandLog
from streams.settings import Settings
from streams.signing import Signer, load_or_create_signer

OPERATOR_TOKEN = "operator-of-the-tests-" + "0" * 20


def operator_token(settings: Settings) -> str:
    """The operator's token of the installation that these settings are of."""
    return load_or_create_operator_token(settings.path(settings.security.operator_token_file))


def gateway_signer(settings: Settings) -> Signer:
    """The key that the gateway of these settings signs commands with."""
    return load_or_create_signer(settings.path(settings.security.signing_key_file))


def command_log(settings: Settings) -> KafkaCommandLog:
    """Where commands go that a gateway stands behind."""
    return KafkaCommandLog(settings.kafka, gateway_signer(settings))


def bearer(token: str) -> dict[str, str]:
    """The header."""
    return {"authorization": f"Bearer {token}"}


PLACE = Place("tests", 1337)


@dataclass(frozen=True)
class Member:
    """An agent with its account and its BLS key."""

    account: Account
    key: SecretKey

    @property
    def agent(self) -> bytes:
        return self.account.address

    @property
    def name(self) -> str:
        return "0x" + self.agent.hex()

    def registration(self, timestamp: int = 1_000, place: Place = PLACE, key: SecretKey | None = None) -> MemoryCommand:
        """A REGISTER_KEY that the account allows. ``key``: another one than the member's own."""
        chosen = key or self.key
        allowed = self.account.sign(place.registration(self.agent, chosen.public, timestamp))
        return self.command("REGISTER_KEY", timestamp, public_key=chosen.public, proof=allowed + chosen.prove_possession())

    def command(self, op: CommandOp, timestamp: int = 2_000, **fields: Any) -> MemoryCommand:
        """An unsigned command; its id follows from what it says."""
        plain: Any = {**plain_command(bytes(16), self.agent, op, timestamp), **fields}
        return {**plain, "id": blake3(repr(sorted(plain.items())).encode()).digest(16)}


def member(number: int) -> Member:
    """The same one for the same number."""
    seed = blake3(f"member {number}".encode()).digest()
    return Member(Account(seed), SecretKey.from_seed(seed))
