"""What tests show to a gateway: the one place that knows how."""

from __future__ import annotations

from streams.identity.operator import load_or_create_operator_token
from streams.settings import Settings

OPERATOR_TOKEN = "operator-of-the-tests-" + "0" * 20


def operator_token(settings: Settings) -> str:
    """The operator's token of the installation that these settings are of."""
    return load_or_create_operator_token(settings.path(settings.security.operator_token_file))


def bearer(token: str) -> dict[str, str]:
    """The header."""
    return {"authorization": f"Bearer {token}"}
