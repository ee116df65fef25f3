"""From settings to what every Kafka client of ours is made with: the one place that knows protocol, certificates and passwords.

Invariants: a password or key comes from the environment or a file that nobody else may read, and is in no message; nothing goes
unencrypted beyond this machine unless that was said; certificates and, unless that was said too, host names are verified.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Any

from aiokafka.conn import collect_hosts

from streams.errors import ClusterAccessError
from streams.near import demand_near
from streams.private_file import demand_private, read_secret
from streams.settings import KafkaAccessSettings, KafkaSettings

log = logging.getLogger(__name__)


def client_arguments(kafka: KafkaSettings) -> dict[str, Any]:
    """Arguments of any client of aiokafka. Raises ClusterAccessError for a file that is missing or wrong, or a host too far."""
    access = kafka.access
    if not access.tls and not access.allow_unencrypted:
        demand_near(
            (host for host, _port in hosts(kafka.bootstrap)),
            "kafka.access.protocol",
            "Set kafka.access.protocol to SASL_SSL or SSL",
            "kafka.access.allow_unencrypted",
            ClusterAccessError,
        )
    arguments: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap, "security_protocol": access.protocol}
    if access.tls:
        arguments["ssl_context"] = tls_context(access, kafka.role)
    if access.login:
        arguments |= {
            "sasl_mechanism": access.mechanism,
            "sasl_plain_username": for_role(access.user, kafka.role),
            "sasl_plain_password": _password(access, kafka.role),
        }
    return arguments


def tls_context(access: KafkaAccessSettings, role: str) -> ssl.SSLContext:
    """Verifies the brokers, and shows them the certificate of ``role`` if there is one. Raises ClusterAccessError."""
    try:
        context = ssl.create_default_context(cafile=access.ca_file or None)
    except (OSError, ValueError) as error:  # of which SSLError is one
        raise _unreadable("ca_file", access.ca_file, error) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not access.verify_hostname:
        log.warning("kafka.access.verify_hostname is off: any certificate of a known signer passes for a broker's")
        context.check_hostname = False
    if access.certificate_file:
        certificate, key = for_role(access.certificate_file, role), Path(for_role(access.key_file, role))
        try:
            demand_private(key, "the key")
            context.load_cert_chain(certificate, key)
        except (OSError, ValueError) as error:
            raise _unreadable("certificate_file and key_file", f"{certificate}, {key}", error) from None
    return context


def for_role(text: str, role: str) -> str:
    """``text`` of the settings with the role put in."""
    return text.replace("{role}", role)


def hosts(bootstrap: str) -> list[tuple[str, int]]:
    """Hosts and ports in ``bootstrap``."""
    return [(host, port) for host, port, _family in collect_hosts(bootstrap, randomize=False)]


def _password(access: KafkaAccessSettings, role: str) -> str:
    if not access.password_file:
        return access.password.get_secret_value()
    path = Path(for_role(access.password_file, role))
    try:
        return read_secret(path, "the password file")
    except OSError as error:
        raise _unreadable("password_file", str(path), error) from None


def _unreadable(setting: str, path: str, error: Exception) -> ClusterAccessError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ClusterAccessError(
        f"kafka.access.{setting}: {path or 'nothing set'}: {reason}",
        "Is the path right, may this user read it, and do certificates and keys stand there in PEM form?",
    )
