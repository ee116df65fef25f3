"""Where alerts are told: log, generic webhook, Slack, PagerDuty (Events API v2), e-mail.

Secrets come from the environment or from files, never from the channels' file itself. Invariants: ``send`` raises ChannelError
unless the receiver took the event, a RefusedEventError where it never will; every attempt of one event carries the same key, so
a receiver can tell a repeat; what is sent holds metric names, labels and values, never settings.
Protocols: a webhook body is signed as ``webhook_signature`` says; Slack's incoming webhooks take ``{"text": ...}`` and answer
200; PagerDuty's ``/v2/enqueue`` takes trigger and resolve under a ``dedup_key`` and answers 202.
"""

from __future__ import annotations

import json
import logging
import os
import ssl
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from streams.errors import ConfigurationError
from streams.ops.alerts.life import Event
from streams.ops.alerts.mail import Email
from streams.ops.alerts.post import Poster
from streams.ops.alerts.told import body_of, short_key
from streams.webhook_signature import signed

KEY_MOST = 255
"""Characters of a ``dedup_key``."""
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
log = logging.getLogger("monmouth.alerts")


class Channel(Protocol):
    """One receiver."""

    async def send(self, event: Event) -> None:
        """Tells an event. Raises ChannelError."""


class LogChannel:
    """The process's own log."""

    async def send(self, event: Event) -> None:
        log.log(logging.INFO if event.state == "resolved" and not event.gone else logging.WARNING, "%s", event.summary)


class SilentChannel:
    """Takes what is already said where the log would say it again."""

    async def send(self, event: Event) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Webhook:
    """Posts ``body_of``; ``secret``: signs it."""

    url: str
    secret: bytes = field(default=b"", repr=False)
    poster: Poster = field(default_factory=Poster, compare=False, repr=False)

    async def send(self, event: Event) -> None:
        body = json.dumps(body_of(event), separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"}
        if self.secret:
            headers |= signed(self.secret, body)
        await self.poster.post("webhook", self.url, body, headers)


@dataclass(frozen=True, slots=True)
class Slack:
    """An incoming webhook; its address is the secret."""

    url: str = field(repr=False)
    poster: Poster = field(default_factory=Poster, compare=False, repr=False)

    async def send(self, event: Event) -> None:
        text = f"{event.summary}\n{event.rule.description}".rstrip()
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        await self.poster.post("slack", self.url, json.dumps({"text": escaped}).encode(), {"Content-Type": "application/json"})


@dataclass(frozen=True, slots=True)
class PagerDuty:
    """Events API v2: a firing alert triggers an incident, a resolved one resolves it."""

    routing_key: str = field(repr=False)
    source: str
    url: str = PAGERDUTY
    poster: Poster = field(default_factory=Poster, compare=False, repr=False)

    async def send(self, event: Event) -> None:
        said: dict[str, Any] = {
            "routing_key": self.routing_key,
            "event_action": "resolve" if event.state == "resolved" else "trigger",
            "dedup_key": short_key(event.key, KEY_MOST),
        }
        if event.state != "resolved":
            said["payload"] = {
                "summary": event.summary[:1024],
                "source": self.source,
                "severity": event.rule.severity,
                "custom_details": body_of(event),
            }
        await self.poster.post("pagerduty", self.url, json.dumps(said).encode(), {"Content-Type": "application/json"})


def channel_tables(file: Path | None) -> dict[str, dict[str, Any]]:
    """The tables of a channels' file, by name; none without a file. Raises ConfigurationError."""
    if file is None:
        return {}
    try:
        said = tomllib.loads(file.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"cannot read {file}: {error}") from None
    if wrong := [name for name, fields in said.items() if not isinstance(fields, dict)]:
        raise ConfigurationError(f"{file}: {wrong[0]} is no table", "Write one table for each channel: [name].")
    return said


def kinds_of(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Of each channel, as rules that come with the product name them."""
    return {name: str(fields.get("type", "")) for name, fields in tables.items()}


def make_channel(name: str, said: Mapping[str, Any], poster: Poster) -> Channel:
    """A channel of the channels' file; ``poster``: the one of all channels. Raises ConfigurationError."""
    fields = dict(said)
    kind = fields.pop("type", None)
    try:
        match kind:
            case "log":
                channel: Channel = LogChannel(**fields)
            case "webhook":
                secret = _secret(fields, "secret").encode() if {"secret_env", "secret_file"} & fields.keys() else b""
                channel = Webhook(secret=secret, poster=poster, **fields)
            case "slack":
                channel = Slack(url=_secret(fields, "url"), poster=poster, **fields)
            case "pagerduty":
                channel = PagerDuty(
                    routing_key=_secret(fields, "routing_key"), poster=poster, **{"source": "monmouth", **fields}
                )
            case "email":
                channel = _email(fields)
            case _:
                raise ConfigurationError(
                    f"channel {name}: type is {kind!r}", "Known types: log, webhook, slack, pagerduty, email."
                )
    except TypeError as error:
        raise ConfigurationError(f"channel {name}: {str(error).rpartition('__init__() ')[2]}") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"channel {name}: {error.message}", error.hint) from None
    return channel


def _email(fields: dict[str, Any]) -> Email:
    password = _secret(fields, "password") if fields.get("user") else ""
    security = fields.get("security", "starttls")
    if security not in {"starttls", "tls", "none"}:
        raise ConfigurationError(f"security is {security!r}", "Say starttls, tls or none.")
    if password and security == "none":
        raise ConfigurationError("a password would go over the network in clear", "Set security to starttls or tls.")
    recipients = fields.pop("recipients", None)
    if not isinstance(recipients, list) or not recipients or not all(isinstance(one, str) for one in recipients):
        raise ConfigurationError("recipients is no list of addresses", 'Write it like recipients = ["ops@example.org"].')
    if (ca_file := fields.get("ca_file")) is not None:
        _demand_authority(ca_file)
    return Email(password=password, recipients=tuple(recipients), **fields)


def _demand_authority(file: Any) -> None:
    try:
        ssl.create_default_context(cafile=file)
    except (OSError, TypeError, ValueError) as error:  # of which SSLError is one
        raise ConfigurationError(f"ca_file {file} holds no certificates that can be read: {type(error).__name__}") from None


def _secret(fields: dict[str, Any], name: str) -> str:
    """``NAME_env`` or ``NAME_file`` of the fields, taken out of them."""
    variable, file = fields.pop(f"{name}_env", None), fields.pop(f"{name}_file", None)
    if (variable is None) == (file is None):
        raise ConfigurationError(f"give {name}_env or {name}_file", "Secrets are not written into this file.")
    try:
        found = os.environ.get(variable, "") if variable is not None else Path(file).read_text().strip()
    except (OSError, TypeError) as error:
        raise ConfigurationError(f"cannot read {file}: {error}") from None
    if not found:
        raise ConfigurationError(f"{variable or file} is empty")
    return found
