"""Where errors are filed: by type alone, those of the product, of the standard library and of the clients in use."""

from __future__ import annotations

import errno
import socket
import ssl

import aiohttp
import grpc
import lmdb
import pytest
from aiokafka.errors import KafkaConnectionError
from prometheus_client import REGISTRY as DEFAULT
from pymilvus.exceptions import MilvusException

from streams.classification import UNKNOWN, Filing, classified, is_counted
from streams.errors import Category, LogIntegrityError, Severity, StoreError, may_pass
from streams.metrics import REGISTRY, count_error, counting_errors

MEMORY = Filing(Category.MEMORY, Severity.CRITICAL)
NETWORK = Filing(Category.NETWORK, Severity.MEDIUM)
DISK = Filing(Category.DATABASE, Severity.CRITICAL)
STORE = Filing(Category.DATABASE, Severity.HIGH)
SETUP = Filing(Category.CONFIGURATION, Severity.HIGH)
ERRORS = [
    (MemoryError(), MEMORY),
    (OSError(errno.ENOMEM, "cannot allocate"), MEMORY),
    (ConnectionResetError(), NETWORK),
    (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), NETWORK),
    (TimeoutError(), NETWORK),
    (OSError(errno.ENETUNREACH, "no route"), NETWORK),
    (socket.gaierror(socket.EAI_AGAIN, "no name"), NETWORK),
    (ssl.SSLError("handshake"), NETWORK),
    (aiohttp.ServerDisconnectedError(), NETWORK),
    (KafkaConnectionError(), NETWORK),
    (grpc.RpcError(), NETWORK),
    (OSError(errno.ENOSPC, "no space left"), DISK),
    (OSError(errno.EDQUOT, "quota"), DISK),
    (OSError(errno.EIO, "broken"), DISK),
    (OSError(errno.EROFS, "read-only"), DISK),
    (lmdb.MapFullError("full"), STORE),
    (MilvusException(), STORE),
    (PermissionError(errno.EACCES, "not allowed"), SETUP),
    (FileNotFoundError(errno.ENOENT, "none"), SETUP),
    (OSError(errno.EMFILE, "too many files"), SETUP),
    (OSError(errno.EADDRINUSE, "taken"), SETUP),
    (ModuleNotFoundError("faust"), SETUP),
    (StoreError("away"), Filing(Category.DATABASE, Severity.HIGH)),
    (LogIntegrityError("altered"), Filing(Category.PROCESSING, Severity.CRITICAL)),
    (KeyError("a defect"), UNKNOWN),
    (RuntimeError("connection refused, timeout, out of memory, database error"), UNKNOWN),
    (OSError("says nothing"), UNKNOWN),
    (ExceptionGroup("several", [TimeoutError(), ExceptionGroup("more", [MemoryError()])]), MEMORY),
]


def count(filing: Filing) -> float:
    return REGISTRY.get_sample_value("monmouth_errors_total", filing._asdict()) or 0.0


@pytest.mark.parametrize(("error", "filing"), ERRORS, ids=lambda found: type(found).__name__)
def test_by_type(error: Exception, filing: Filing) -> None:
    assert classified(error) == filing
    assert not (may_pass(error) and filing.severity is Severity.CRITICAL), "nothing is tried again and given up at once"


def test_every_series_is_there_before_the_first_error() -> None:
    assert DEFAULT is not REGISTRY
    for category in Category:
        for severity in Severity:
            assert REGISTRY.get_sample_value("monmouth_errors_total", {"category": category, "severity": severity}) is not None


def test_an_error_is_counted_once_however_often_it_is_met() -> None:
    before, error = count(STORE), StoreError("away")
    with pytest.raises(StoreError), counting_errors(), counting_errors():
        raise error
    count_error(error)
    assert count(STORE) == before + 1
    count_error(StoreError("again"))
    assert count(STORE) == before + 2


def translated(*, cause: bool) -> StoreError:
    try:
        try:
            raise TimeoutError
        except TimeoutError as inner:
            count_error(inner)
            raise StoreError("away") from (inner if cause else None)
    except StoreError as error:
        return error


@pytest.mark.parametrize("cause", [True, False])
def test_a_translation_of_one_that_was_counted_is_not_another(cause: bool) -> None:
    error, before = translated(cause=cause), count(STORE)
    assert is_counted(error)
    count_error(error)
    assert count(STORE) == before


def test_an_error_met_while_another_was_handled_is_another() -> None:
    before = count(STORE)
    try:
        try:
            raise TimeoutError
        except TimeoutError as inner:
            count_error(inner)
            raise StoreError("the next place too")  # noqa: B904  (on purpose)
    except StoreError as error:
        count_error(error)
    assert count(STORE) == before + 1


def test_a_cancellation_is_none() -> None:
    before = count(UNKNOWN)
    with pytest.raises(KeyboardInterrupt), counting_errors():
        raise KeyboardInterrupt
    assert count(UNKNOWN) == before
