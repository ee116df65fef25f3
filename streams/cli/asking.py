"""What the commands that ask a gateway share: which one, on whose behalf, and how an answer is shown.

Invariant: a token comes from the environment or from a file that nobody else may read, never from an argument, where other
users of the machine would see it; it is never printed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from streams.errors import ConfigurationError
from streams.identity.operator import token_for
from streams.private_file import read_secret
from streams.serving.client import Client
from streams.serving.transport import TIMEOUT
from streams.serving.wire import Answer, Citation
from streams.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])
URL_VARIABLE = "MONMOUTH_GATEWAY_URL"
TOKEN_FILE_VARIABLE = "MONMOUTH_GATEWAY_TOKEN_FILE"
ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (read, not bound to)

json_option = click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
gateway_option = click.option(
    "--gateway", "--url", "url", metavar="URL", help=f"The gateway (default: {URL_VARIABLE}, or gateway.host:port)."
)


class TimeType(click.ParamType):
    """Unix seconds, or a time as ISO 8601 writes it (UTC where it names no zone), to unix seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            if str(value).lstrip("-").isdecimal():
                return int(value)
            moment = datetime.fromisoformat(str(value))
            return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
        except (ValueError, OverflowError):
            return self.fail(f"{value!r} is no time; give unix seconds, or 2026-01-31T12:00:00Z", param, ctx)


def moment_options(command: F) -> F:
    """The moment a read asks about: ``as_of_block``, ``as_of_time``, ``valid_at``, ``include_invalid``."""
    for option in (
        click.option("--include-invalid", is_flag=True, help="Also what is not true then."),
        click.option("--valid-at", metavar="TIME", type=TimeType(), help="What was true then (default: now)."),
        click.option("--as-of-time", metavar="TIME", type=TimeType(), help="Answer by what was known then."),
        click.option("--as-of-block", metavar="N", type=click.IntRange(min=0), help="Answer by what was known at this block."),
    ):
        command = option(command)
    return command


wait_option = click.option(
    "--wait", default=10.0, show_default=True, type=click.FloatRange(min=0), help="Seconds to wait until reads show the effect."
)


def gateway_client(settings: Settings, url: str | None, timeout: float = TIMEOUT) -> Client:
    """A client of the gateway at ``url``, or of the one that the environment or the settings name."""
    address = gateway_url(settings, url)
    allowed = settings.gateway.allow_unencrypted
    return Client(address, timeout, token=token(settings, address), allow_unencrypted=allowed)


def gateway_url(settings: Settings, url: str | None) -> str:
    """The address of the gateway meant."""
    gateway = settings.gateway
    host = ANYWHERE.get(gateway.host, gateway.host)
    default = f"http://[{host}]:{gateway.port}" if ":" in host else f"http://{host}:{gateway.port}"
    return url or os.environ.get(URL_VARIABLE) or default


def token(settings: Settings, url: str) -> str | None:
    """The caller's token for the gateway at ``url``: of the file that the environment names, or as ``token_for`` finds it.

    Raises ConfigurationError.
    """
    file = os.environ.get(TOKEN_FILE_VARIABLE)
    if not file:
        return token_for(settings, url)
    try:
        return read_secret(Path(file), "token")
    except OSError as error:
        hint = f"{TOKEN_FILE_VARIABLE} names it."
        raise ConfigurationError(f"cannot read the token in {file}: {error.strerror}", hint) from None


def print_json(answer: Answer) -> None:
    click.echo(json.dumps(answer.model_dump(), ensure_ascii=False, indent=2))


def source(citation: Citation) -> str:
    if citation.block is None or citation.transaction is None:
        return f"command, memory {citation.memory_id}"
    return f"block {citation.block.number}, transaction {citation.transaction}, memory {citation.memory_id}"


def when(timestamp: int) -> str:
    try:
        return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return str(timestamp)
