"""Why the brokers do not let a client in: wrong password, certificate, or protocol; told from brokers that are merely away.

aiokafka says "unable to bootstrap" of all of these alike, so whoever could not connect asks here. Invariant: a refusal rests on
what a broker answered, never on silence: one that is down, or a proxy before it that hangs up, is no refusal, and if any broker
lets the client in, it is let in.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import IllegalSaslStateError, KafkaError, SaslAuthenticationFailed, UnsupportedSaslMechanismError
from aiokafka.protocol.metadata import MetadataRequest
from cryptography import x509

from streams.cluster.arguments import client_arguments, for_role, hosts
from streams.errors import ClusterAccessError
from streams.settings import KafkaSettings

ATTEMPT_MS = 4_000
TLS_SECONDS = 3.0
NOT_YET, EXPIRED, HOSTNAME, ADDRESS = 9, 10, 62, 64
"""OpenSSL's words for what is wrong with a certificate; the others say that nobody who is trusted has signed it."""
AWAY = (KafkaError, OSError, TimeoutError)
SILENT = (TimeoutError, ConnectionRefusedError, socket.gaierror)
LET_IN, NO_ANSWER = "let in", "no answer"


@contextlib.asynccontextmanager
async def explained(kafka: KafkaSettings) -> AsyncIterator[None]:
    """Around what connects: a failure that is a refusal becomes a ClusterAccessError, any other stays."""
    try:
        yield
    except AWAY:
        await demand_access(kafka)
        raise


async def demand_access(kafka: KafkaSettings) -> None:
    """Raises ClusterAccessError if the brokers refuse this client, or it them. Returns if they let it in, or do not answer."""
    arguments = client_arguments(kafka)
    _demand_valid_certificate(kafka)
    del arguments["bootstrap_servers"]
    answers = await asyncio.gather(*(_asked(kafka, host, port, arguments) for host, port in hosts(kafka.bootstrap)))
    refusals = [answer for answer in answers if isinstance(answer, ClusterAccessError)]
    if refusals and LET_IN not in answers:
        raise refusals[0]


async def _asked(kafka: KafkaSettings, host: str, port: int, arguments: dict[str, Any]) -> ClusterAccessError | str:
    try:
        await _enter(host, port, arguments)
    except SILENT:
        return NO_ANSWER
    except AWAY as error:
        return await _refusal(kafka, host, port, error) or NO_ANSWER
    return LET_IN


class _UnansweredError(KafkaError):  # type: ignore[misc]
    """The broker greeted, and hung up at the first question."""


async def _enter(host: str, port: int, arguments: dict[str, Any]) -> None:
    """Connects, logs in and asks something that only those who are let in are answered."""
    connection = await create_conn(host, port, request_timeout_ms=ATTEMPT_MS, **arguments)
    try:
        await connection.send(MetadataRequest([]))
    except AWAY as error:
        raise _UnansweredError from error.__cause__
    finally:
        await _closed(connection)


async def _refusal(kafka: KafkaSettings, host: str, port: int, error: BaseException) -> ClusterAccessError | None:
    access, place = kafka.access, f"the broker at {host}:{port}"
    if isinstance(error, SaslAuthenticationFailed):
        return ClusterAccessError(
            f"{place} refuses user {for_role(access.user, kafka.role)}: wrong name or password",
            "See kafka.access.user and password_file; passwords are set on the cluster with Kafka's kafka-configs.",
        )
    if isinstance(error, UnsupportedSaslMechanismError):
        return ClusterAccessError(f"{place} takes no login by {access.mechanism}", "Set kafka.access.mechanism to another.")
    if isinstance(error, IllegalSaslStateError):
        return _other_protocol(place, "asks for no login", "PLAINTEXT or SSL")
    if isinstance(error, ssl.SSLCertVerificationError):
        return _distrusted(place, error)
    if isinstance(error.__cause__, ssl.SSLError):  # the broker's answer to what we showed, or did not
        return ClusterAccessError(
            f"{place} refuses this client's certificate ({_alert(error.__cause__)})",
            "See kafka.access.certificate_file and key_file: who signed it, and until when it holds.",
        )
    if not access.tls and await _speaks_tls(host, port):
        return _other_protocol(place, "speaks TLS only", "SASL_SSL or SSL")
    if access.tls and await _speaks_plainly(host, port):
        return _other_protocol(place, "speaks no TLS", "SASL_PLAINTEXT or PLAINTEXT")
    if isinstance(error, _UnansweredError) and not access.login and await _hangs_up_again(kafka, host, port):
        return _other_protocol(place, "answers nobody who has not logged in", "SASL_SSL or SASL_PLAINTEXT")
    return None


def _other_protocol(place: str, found: str, wanted: str) -> ClusterAccessError:
    return ClusterAccessError(f"{place} {found}", f"Set kafka.access.protocol to {wanted}, or name another port.")


def _distrusted(place: str, error: ssl.SSLCertVerificationError) -> ClusterAccessError:
    if error.verify_code in {EXPIRED, NOT_YET}:
        when = "has expired" if error.verify_code == EXPIRED else "is not valid yet"
        return ClusterAccessError(f"the certificate of {place} {when}", "Its owner must renew it. Is the clock here right?")
    if error.verify_code in {HOSTNAME, ADDRESS}:
        return ClusterAccessError(
            f"the certificate of {place} is for another host: {error.verify_message}",
            "Name the brokers as their certificates do; kafka.access.verify_hostname = false believes any host.",
        )
    return ClusterAccessError(
        f"the certificate of {place} is signed by nobody trusted here ({error.verify_message})",
        "Name the signer's certificate in kafka.access.ca_file.",
    )


def _alert(error: ssl.SSLError) -> str:
    return (error.reason or "refused").lower().replace("_", " ").partition("alert ")[2] or "refused"


def _demand_valid_certificate(kafka: KafkaSettings) -> None:
    """The broker would say no more than that it does not like it."""
    if not kafka.access.certificate_file:
        return
    path = Path(for_role(kafka.access.certificate_file, kafka.role))
    ends = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
    if ends < datetime.now(UTC):
        raise ClusterAccessError(f"the certificate {path} has expired, on {ends:%Y-%m-%d %H:%M} UTC", "Renew it.")


async def _speaks_tls(host: str, port: int) -> bool:
    """Whether a handshake comes about; what is shown in it does not matter here, and nothing is sent."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(TLS_SECONDS):
            _reader, writer = await asyncio.open_connection(host, port, ssl=context)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _speaks_plainly(host: str, port: int) -> bool:
    """Whether it greets in the clear, as it would before any login."""
    try:
        await _closed(await create_conn(host, port, request_timeout_ms=int(1000 * TLS_SECONDS)))
    except AWAY:
        return False
    return True


async def _hangs_up_again(kafka: KafkaSettings, host: str, port: int) -> bool:
    """A broker that was about to stop does not."""
    arguments = client_arguments(kafka)
    del arguments["bootstrap_servers"]
    try:
        await _enter(host, port, arguments)
    except _UnansweredError:
        return True
    except AWAY:
        return False
    return False


async def _closed(connection: AIOKafkaConnection) -> None:
    with contextlib.suppress(Exception):
        await connection.close()
