"""What clients are made with, and the settings that are refused instead."""

from __future__ import annotations

import ast
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from streams.cluster.arguments import client_arguments
from streams.cluster.refusals import demand_access
from streams.errors import ClusterAccessError, ConfigurationError
from streams.serving.messages.topic import MessageWriter
from streams.settings import KafkaAccessSettings, KafkaSettings, load_settings
from tests.certificates import Authority

FAR = ["kafka.example:9092", "10.0.0.1:9092", "127.0.0.1:1,kafka.example:2", "localhost.evil:1"]
PASSWORD = "a word that nobody may see"
ROOT = Path(__file__).parents[3]


def secret_file(path: Path, text: str = PASSWORD, mode: int = 0o600) -> Path:
    path.write_text(text + "\n")
    path.chmod(mode)
    return path


def kafka(bootstrap: str = "127.0.0.1:9092", role: str = "memory", **access: Any) -> KafkaSettings:
    return KafkaSettings(bootstrap=bootstrap, access=KafkaAccessSettings(**access), role=role)


def test_on_this_machine_nothing_is_asked() -> None:
    for bootstrap in ("127.0.0.1:9092", "localhost:9092", "[::1]:9092", "127.0.0.1:1,127.0.0.2:2"):
        assert client_arguments(kafka(bootstrap)) == {"bootstrap_servers": bootstrap, "security_protocol": "PLAINTEXT"}


@pytest.mark.parametrize("bootstrap", FAR)
@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
def test_nothing_goes_unencrypted_beyond_this_machine_unless_that_was_said(bootstrap: str, protocol: str) -> None:
    login = {"user": "me", "password": PASSWORD} if protocol == "SASL_PLAINTEXT" else {}
    with pytest.raises(ClusterAccessError, match="another machine"):
        client_arguments(kafka(bootstrap, protocol=protocol, **login))
    assert (
        client_arguments(kafka(bootstrap, protocol=protocol, allow_unencrypted=True, **login))["bootstrap_servers"] == bootstrap
    )


def test_each_role_has_a_name_a_password_and_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    secret_file(tmp_path / "memory.password", "of memory")
    authority.issue("memory")
    found = client_arguments(
        kafka(
            "kafka.example:9093",
            protocol="SASL_SSL",
            user="monmouth.{role}",
            password_file=str(tmp_path / "{role}.password"),
            ca_file=str(authority.ca_file),
            certificate_file=str(tmp_path / "{role}.pem"),
            key_file=str(tmp_path / "{role}.key"),
        )
    )
    assert (found["sasl_plain_username"], found["sasl_plain_password"]) == ("monmouth.memory", "of memory")
    assert found["sasl_mechanism"] == "SCRAM-SHA-512"
    context: ssl.SSLContext = found["ssl_context"]
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    with pytest.raises(ClusterAccessError, match=r"lattice\.(pem|password)"):
        client_arguments(kafka(protocol="SASL_SSL", user="x", password_file=str(tmp_path / "{role}.password"), role="lattice"))


def test_host_names_go_unverified_with_a_warning_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    context = client_arguments(kafka(protocol="SSL", verify_hostname=False))["ssl_context"]
    assert (context.check_hostname, context.verify_mode) == (False, ssl.CERT_REQUIRED)
    assert "verify_hostname is off" in caplog.text


def test_a_secret_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = secret_file(tmp_path / "password", mode=0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        client_arguments(kafka(protocol="SASL_SSL", user="me", password_file=str(path)))
    certificate, key = Authority(tmp_path).issue("me")
    key.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        client_arguments(kafka(protocol="SSL", certificate_file=str(certificate), key_file=str(key)))


def test_files_that_are_missing_or_something_else_are_named(tmp_path: Path) -> None:
    other = secret_file(tmp_path / "other", "no certificate")
    certificate, _ = Authority(tmp_path).issue("me")
    _, key = Authority(tmp_path / "b").issue("you")
    wrong: list[dict[str, str]] = [
        {"ca_file": str(tmp_path / "absent")},
        {"ca_file": str(other)},
        {"certificate_file": str(other), "key_file": str(other)},
        {"certificate_file": str(certificate), "key_file": str(key)},
        {"certificate_file": str(certificate), "key_file": str(tmp_path / "absent")},
    ]
    for access in wrong:
        with pytest.raises(ClusterAccessError, match=str(tmp_path)):
            client_arguments(kafka(protocol="SSL", **access))


@pytest.mark.parametrize(
    ("access", "said"),
    [
        ({"protocol": "SASL_SSL"}, "needs a user"),
        ({"protocol": "SASL_SSL", "user": "me"}, "needs either password or password_file"),
        (
            {"protocol": "SASL_SSL", "user": "me", "password": PASSWORD, "password_file": "f"},
            "either password or password_file",
        ),
        ({"protocol": "SSL", "key_file": "key"}, "belong together"),
        ({"protocol": "PLAINTEXT", "ca_file": "ca"}, "uses no certificates"),
        ({"protocol": "TLS"}, "kafka.access.protocol"),
        ({"mechanism": "PLAIN"}, "kafka.access.mechanism"),
    ],
)
def test_settings_that_do_not_fit_are_named_without_secrets(access: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        load_settings(kafka={"access": access})
    assert PASSWORD not in str(refused.value)


def test_a_password_comes_from_the_environment_and_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PROTOCOL": "SASL_SSL", "USER": "me", "PASSWORD": PASSWORD}.items():
        monkeypatch.setenv(f"MONMOUTH_KAFKA__ACCESS__{name}", value)
    settings = load_settings()
    assert client_arguments(settings.kafka)["sasl_plain_password"] == PASSWORD
    assert PASSWORD not in repr(settings) + str(settings) + settings.model_dump_json()


async def test_a_certificate_that_has_expired_is_named_before_anybody_is_asked(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).issue("late", lives=timedelta(days=-1))
    with pytest.raises(ClusterAccessError, match=r"late\.pem has expired"):
        await demand_access(kafka("127.0.0.1:1", protocol="SSL", certificate_file=str(certificate), key_file=str(key)))


def made_without_access(source: str) -> list[int]:
    """Lines where a client of aiokafka is made of anything but what ``client_arguments`` says."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.startswith("AIOKafka"):
            spread = [ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg is None]
            if not any(text.startswith("client_arguments(") for text in spread):
                found.append(node.lineno)
    return found


def test_every_client_of_the_product_logs_in_as_the_settings_say() -> None:
    assert made_without_access("AIOKafkaProducer(bootstrap_servers=where, acks='all')") == [1]
    files = [path for part in ("streams", "connectors") for path in (ROOT / part).rglob("*.py")]
    made = {str(path.relative_to(ROOT)): made_without_access(path.read_text()) for path in files}
    assert len(made) > 100 and not {path: lines for path, lines in made.items() if lines}


async def test_messages_do_not_go_unencrypted_beyond_this_machine() -> None:
    writer = MessageWriter(kafka("kafka.example:9092", role="gateway"))
    with pytest.raises(ClusterAccessError, match="another machine"):
        await writer("somebody", b"a message")
    await writer.stop()
