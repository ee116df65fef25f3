"""What can go wrong with the local broker, each with what to do about it.

Invariant: every failure a user can cause or meet (port, disk, network, Java) has its own class here.
"""

from __future__ import annotations

from streams.errors import Category, MonmouthError, Severity


class BrokerError(MonmouthError):
    """The local broker cannot do what was asked."""

    category = Category.EXTERNAL
    severity = Severity.HIGH


class PortBusyError(BrokerError):
    """Somebody else listens on the port."""

    category = Category.NETWORK


class DiskFullError(BrokerError):
    """The disk holds too little for the log, or none at all."""


class NotWritableError(BrokerError):
    """The state folder cannot be written."""

    category = Category.CONFIGURATION


class JarsUnavailableError(BrokerError):
    """The broker's jars are not here and cannot be fetched."""

    category = Category.NETWORK


class JarLockError(BrokerError):
    """The lock file of the jars is not what it should be."""

    category = Category.CONFIGURATION


class JavaError(BrokerError):
    """No usable Java."""

    category = Category.CONFIGURATION


class BrokerDiedError(BrokerError):
    """The broker's process ended by itself."""


class BrokerTimeoutError(BrokerError):
    """The broker lives but does not answer in time."""
