"""What the types of errors say: each its category and severity, and nothing that may pass is critical."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import connectors
import infra
import schemas
import streams
from streams.errors import (
    Category,
    ConfigurationError,
    FencedError,
    LogIntegrityError,
    MonmouthError,
    PoisonError,
    PositionLostError,
    Severity,
    SourceError,
    StoreError,
    may_pass,
)
from streams.ports.log import LogError

OURS = (streams, connectors, schemas, infra)


def _below(kind: type[MonmouthError]) -> Iterator[type[MonmouthError]]:
    for child in kind.__subclasses__():
        yield child
        yield from _below(child)


@pytest.fixture(scope="module")
def kinds() -> list[type[MonmouthError]]:
    for package in OURS:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                try:
                    importlib.import_module(module.name)
                except ModuleNotFoundError as error:  # an extra that is not installed here
                    assert str(error.name).split(".")[0] not in {"streams", "connectors", "schemas", "infra"}
    named = tuple(package.__name__ for package in OURS)
    return sorted({kind for kind in _below(MonmouthError) if kind.__module__.split(".")[0] in named}, key=str)


def _silent(kind: type[MonmouthError]) -> list[str]:
    """What neither the type nor a parent below the base says."""
    said = {name for parent in kind.__mro__ if parent is not MonmouthError for name in vars(parent)}
    return sorted({"category", "severity"} - said)


def test_each_type_states_category_and_severity(kinds: list[type[MonmouthError]]) -> None:
    assert len(kinds) > 60
    assert {f"{kind.__module__}.{kind.__name__}": found for kind in kinds if (found := _silent(kind))} == {}
    assert not [kind for kind in kinds if kind.category is Category.UNKNOWN]


def test_a_type_that_says_nothing_is_found() -> None:
    class MumbleError(MonmouthError):
        """Says nothing."""

    assert _silent(MumbleError) == ["category", "severity"]


def test_what_may_pass_is_not_critical(kinds: list[type[MonmouthError]]) -> None:
    assert not [kind for kind in kinds if kind.passes and kind.severity is Severity.CRITICAL]


@pytest.mark.parametrize("kind", [LogIntegrityError, PositionLostError, PoisonError, ConfigurationError, FencedError])
def test_what_trying_again_would_hide_or_not_mend_does_not_pass(kind: type[MonmouthError]) -> None:
    assert not may_pass(kind("connection timeout unavailable"))  # its text says nothing


@pytest.mark.parametrize("kind", [StoreError, SourceError, LogError])
def test_places_that_did_not_answer_may_pass(kind: type[MonmouthError]) -> None:
    assert may_pass(kind("a record without any telling word"))


def test_errors_that_are_not_ours() -> None:
    assert may_pass(TimeoutError())
    assert may_pass(ConnectionResetError())
    assert not may_pass(ValueError("connection timeout"))
    assert not may_pass(OSError("no space left"))


def test_an_error_is_a_line_in_a_log_with_what_can_be_done() -> None:
    assert MonmouthError("the disk is full", "Free space.").line == "the disk is full (Free space.)"
    assert MonmouthError("the disk is full").line == "the disk is full"
