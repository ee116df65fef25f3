"""What a real broker says to whom it does not let in, and what becomes of it: one clear error, soon, and no retry."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from infra.broker.properties import HOST
from streams.cli import main
from streams.cluster.refusals import demand_access
from streams.errors import ClusterAccessError
from streams.settings import KafkaSettings
from tests.certificates import Authority
from tests.secured_broker import SecuredBroker, environment

pytestmark = pytest.mark.kafka
SOON = 5.0
EXPIRED = timedelta(days=-1)


def stranger(broker: SecuredBroker) -> Authority:
    return Authority(broker.folder / "stranger", "Stranger")


def with_certificate(broker: SecuredBroker, files: tuple[Path, Path]) -> KafkaSettings:
    return broker.certified(certificate_file=str(files[0]), key_file=str(files[1]))


def through(broker: SecuredBroker, listener: str, kafka: KafkaSettings) -> KafkaSettings:
    """What is meant for one listener, at another."""
    port = broker.ports[listener] if listener in broker.ports else broker.admin.bootstrap.rpartition(":")[2]
    return kafka.model_copy(update={"bootstrap": f"{HOST}:{port}"})


def open_login(broker: SecuredBroker) -> KafkaSettings:
    """With a password, but no TLS: good where the broker offers that on loopback."""
    return broker.settings(
        "OPEN", protocol="SASL_PLAINTEXT", user="secured.intent", password_file=str(broker.password_file("intent"))
    )


REFUSED: dict[str, tuple[Callable[[SecuredBroker], KafkaSettings], str]] = {
    "wrong password": (
        lambda b: b.login(password_file="", password="guessed"),
        "refuses user secured.intent: wrong name or pass",
    ),
    "unknown user": (lambda b: b.login(user="nobody"), "refuses user nobody"),
    "other mechanism": (lambda b: b.login(mechanism="SCRAM-SHA-256"), "takes no login by SCRAM-SHA-256"),
    "unknown signer": (lambda b: b.login(ca_file=str(stranger(b).ca_file)), "signed by nobody trusted here"),
    "system signers": (lambda b: b.login(ca_file=""), "signed by nobody trusted here"),
    "expired broker": (lambda b: through(b, "EXPIRED", b.certified()), "has expired"),
    "other host": (lambda b: b.login().model_copy(update={"bootstrap": f"localhost:{b.ports['LOGIN']}"}), "for another host"),
    "expired client": (lambda b: with_certificate(b, b.authority.issue("late", lives=EXPIRED)), "late.pem has expired"),
    "foreign client": (lambda b: with_certificate(b, stranger(b).issue("intent")), "refuses this client's certificate"),
    "no certificate": (lambda b: b.certified(certificate_file="", key_file=""), "refuses this client's certificate"),
    "plain to TLS": (lambda b: b.settings("LOGIN"), "speaks TLS only"),
    "login to TLS": (lambda b: through(b, "LOGIN", open_login(b)), "speaks TLS only"),
    "TLS to plain": (lambda b: through(b, "PLAINTEXT", b.login()), "speaks no TLS"),
    "no login": (lambda b: b.settings("OPEN"), "answers nobody who has not logged in"),
    "no login, TLS": (lambda b: through(b, "LOGIN", b.certified()), "answers nobody who has not logged in"),
    "needless login": (lambda b: through(b, "PLAINTEXT", open_login(b)), "asks for no login"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_each_refusal_is_named_soon(secured: SecuredBroker, case: str) -> None:
    make, said = REFUSED[case]
    kafka, began = make(secured).as_role("intent"), time.monotonic()
    with pytest.raises(ClusterAccessError, match=said) as refused:
        await demand_access(kafka)
    assert refused.value.hint
    assert "guessed" not in str(refused.value)
    assert time.monotonic() - began < SOON


@pytest.mark.parametrize("way", ["login", "certified"])
async def test_who_belongs_here_is_let_in(secured: SecuredBroker, way: str) -> None:
    await demand_access(getattr(secured, way)().as_role("memory"))
    await demand_access(open_login(secured))
    unverified = through(secured, "LOGIN", secured.login(verify_hostname=False))
    await demand_access(unverified.model_copy(update={"bootstrap": f"localhost:{secured.ports['LOGIN']}"}).as_role("memory"))


async def test_a_broker_that_is_away_is_no_refusal(secured: SecuredBroker, unused_tcp_port: int) -> None:
    for kafka in (secured.login(), secured.admin):
        await demand_access(kafka.model_copy(update={"bootstrap": f"{HOST}:{unused_tcp_port}"}).as_role("intent"))
        await demand_access(
            kafka.model_copy(update={"bootstrap": f"{HOST}:{unused_tcp_port},{kafka.bootstrap}"}).as_role("intent")
        )


async def test_a_proxy_that_hangs_up_is_no_refusal(secured: SecuredBroker) -> None:
    """As one does whose broker is restarting: whatever was going to be spoken, nobody has said no."""
    proxy = await asyncio.start_server(lambda _, writer: writer.close(), HOST, 0)
    port = proxy.sockets[0].getsockname()[1]
    async with proxy:
        for kafka in (secured.admin, secured.login(), secured.certified(), open_login(secured)):
            await demand_access(kafka.model_copy(update={"bootstrap": f"{HOST}:{port}"}).as_role("intent"))


@pytest.mark.parametrize(
    "command", [["worker", "--agents", "intent"], ["gateway"], ["topics", "list"], ["acls", "check"], ["infra", "status"]]
)
@pytest.mark.parametrize("case", ["wrong password", "unknown signer", "plain to TLS"])
def test_programs_end_with_it(
    secured: SecuredBroker,
    case: str,
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    kafka, began = REFUSED[case][0](secured), time.monotonic()
    for name, value in environment(kafka, tmp_path).items():
        monkeypatch.setenv(name, value)
    if case == "plain to TLS" and command[0] in {"acls", "infra"}:
        monkeypatch.setenv("MONMOUTH_KAFKA__ACCESS__PRINCIPAL", "User:{role}")
        monkeypatch.setenv("MONMOUTH_KAFKA__BOOTSTRAP", f"{kafka.bootstrap},{kafka.bootstrap}")  # several: not one of ours
    assert main(command) == 1
    assert time.monotonic() - began < 2 * SOON
    said = capfd.readouterr().err
    assert said.startswith("error: the ")
    assert "Traceback" not in said
    assert "guessed" not in said
