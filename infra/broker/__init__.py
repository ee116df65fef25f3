"""The real Apache Kafka as one local process: Java runtime from a Python package, jars checked against a lock file."""

from infra.broker.errors import BrokerError
from infra.broker.local import BrokerStatus, LocalBroker, jars_folder

__all__ = ["BrokerError", "BrokerStatus", "LocalBroker", "jars_folder"]
