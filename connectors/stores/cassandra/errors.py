"""What a failure of the driver means and what to do about it. Addresses are named, never a password."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from streams.errors import ConfigurationError, MonmouthError, StoreError
from streams.settings import CassandraSettings

RETRIED = "Nothing was lost: what was not acknowledged is written again."
_DENIED = ("AuthenticationFailed", "Unauthorized")


def store_error(settings: CassandraSettings, error: BaseException) -> MonmouthError:
    """The typed error. ConfigurationError where no retry can help."""
    place = f"Cassandra at {', '.join(settings.contact_points)}, port {settings.port}"
    kinds = [type(cause).__name__ for cause in _causes(error)]
    if denied := next((kind for kind in kinds if kind in _DENIED), None):
        said = "refused the name or the password" if denied == "AuthenticationFailed" else "allows this user too little"
        return ConfigurationError(
            f"{place} {said}", "See cassandra.username and cassandra.password_file, and 'Cassandra' in docs/deploy.md."
        )
    if isinstance(error, MonmouthError):
        return error
    if "Unavailable" in kinds:
        return StoreError(f"{place}: fewer copies are alive than the consistency level asks for", f"Start the nodes. {RETRIED}")
    if {"WriteTimeout", "ReadTimeout", "OperationTimedOut"} & set(kinds):
        return StoreError(f"{place} did not answer in time ({kinds[0]})", f"Are its nodes alive, and not overloaded? {RETRIED}")
    if "NoHostAvailable" in kinds:
        return StoreError(f"{place}: no node could be used: {_reasons(error)}", f"Is it running, and reachable? {RETRIED}")
    return StoreError(f"{place}: {type(error).__name__}: {str(error)[:300]}", RETRIED)


def _causes(error: Any) -> Iterable[BaseException]:
    yield error
    errors = getattr(error, "errors", None)
    for cause in errors.values() if isinstance(errors, dict) else ():
        if isinstance(cause, BaseException):
            yield cause


def _reasons(error: Any) -> str:
    causes = list(_causes(error))[1:]
    return "; ".join(sorted({f"{type(cause).__name__}: {str(cause)[:120]}" for cause in causes})) or str(error)[:200]
