"""A real broker that lets in whom it knows and allows what was granted: SCRAM and client certificates over TLS, ACLs.

The plain listener is the administrator's: whoever comes there may do everything, as on the machine of a cluster's owner.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from infra.broker import LocalBroker
from infra.broker.ports import free_ports
from infra.broker.properties import HOST
from streams.settings import KafkaAccessSettings, KafkaSettings
from tests.certificates import Authority, key_store

PREFIX = "secured."
PARTITIONS = 2
PLAIN = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
LISTENERS = {"LOGIN": "SASL_SSL", "CERTIFICATE": "SSL", "EXPIRED": "SSL", "OPEN": "SASL_PLAINTEXT"}


@dataclass(frozen=True, slots=True)
class SecuredBroker:
    """``admin``: settings of the administrator. ``ports``: by listener."""

    folder: Path
    admin: KafkaSettings
    authority: Authority
    ports: dict[str, int]

    def password_file(self, role: str) -> Path:
        return self.folder / f"{role}.password"

    def settings(self, listener: str, **access: object) -> KafkaSettings:
        """For clients that come through ``listener``."""
        return self.admin.model_copy(
            update={"bootstrap": f"{HOST}:{self.ports[listener]}", "access": KafkaAccessSettings(**access)}  # type: ignore[arg-type]
        )

    def login(self, **access: object) -> KafkaSettings:
        """With the password of the role, over TLS."""
        return self.settings(
            "LOGIN",
            **{
                "protocol": "SASL_SSL",
                "user": f"{PREFIX}{{role}}",
                "password_file": str(self.password_file("{role}")),
                "ca_file": str(self.authority.ca_file),
                **access,
            },
        )

    def certified(self, **access: object) -> KafkaSettings:
        """With the certificate of the role."""
        return self.settings(
            "CERTIFICATE",
            **{
                "protocol": "SSL",
                "ca_file": str(self.authority.ca_file),
                "certificate_file": str(self.authority.folder / "{role}.pem"),
                "key_file": str(self.authority.folder / "{role}.key"),
                "principal": "User:CN={role}",
                **access,
            },
        )


def environment(kafka: KafkaSettings, state_dir: Path) -> dict[str, str]:
    """What says the same to a program."""
    said = {
        "STATE_DIR": str(state_dir),
        "KAFKA__BOOTSTRAP": kafka.bootstrap,
        "KAFKA__PREFIX": kafka.prefix,
        "KAFKA__PARTITIONS": str(kafka.partitions),
        **{f"KAFKA__ACCESS__{name.upper()}": str(value) for name, value in kafka.access.model_dump().items() if value},
        "KAFKA__ACCESS__PASSWORD": kafka.access.password.get_secret_value(),
        "KAFKA__ACCESS__VERIFY_HOSTNAME": str(kafka.access.verify_hostname),
    }
    return {f"MONMOUTH_{name}": value for name, value in said.items()}


@contextmanager
def secured_broker(folder: Path, jars: Path, roles: Sequence[str]) -> Iterator[SecuredBroker]:
    """Runs while the context lasts. Every role has a password, and a certificate under its own name."""
    authority = Authority(folder / "authority")
    server = key_store(*authority.issue("broker"))
    expired = key_store(*authority.issue("expired-broker", lives=timedelta(days=-1)))
    users = []
    for role in roles:
        authority.issue(role)
        password = secrets.token_hex(16)
        path = folder / f"{role}.password"
        path.touch(mode=0o600)
        path.write_text(password)
        users += ["--add-scram", f"SCRAM-SHA-512=[name={PREFIX}{role},password={password}]"]
    ports = dict(zip(LISTENERS, free_ports(len(LISTENERS)), strict=True))
    broker = LocalBroker(
        folder,
        jars=jars,
        heap="384m",
        listeners=ports,
        format_options=users,
        record_startup=False,
        properties={
            "listener.security.protocol.map": ",".join(f"{name}:{kind}" for name, kind in (PLAIN | LISTENERS).items()),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(server),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(authority.ca_file),
            "listener.name.certificate.ssl.client.auth": "required",
            "listener.name.expired.ssl.client.auth": "required",
            "listener.name.expired.ssl.keystore.type": "PEM",
            "listener.name.expired.ssl.keystore.location": str(expired),
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            **{f"listener.name.{name}.scram-sha-512.sasl.jaas.config": SCRAM for name in ("login", "open")},
            "group.min.session.timeout.ms": "500",
        },
    )
    with broker:
        admin = KafkaSettings(bootstrap=broker.bootstrap, prefix=PREFIX, partitions=PARTITIONS)
        yield SecuredBroker(folder, admin, authority, ports)
