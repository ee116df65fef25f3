"""The real Apache Kafka as one local process or a cluster of some.

The Java runtime comes from a Python package, the jars are checked against a lock file.
"""

from infra.broker.cluster import LocalCluster
from infra.broker.errors import BrokerError
from infra.broker.local import BrokerStatus, LocalBroker, jars_folder

__all__ = ["BrokerError", "BrokerStatus", "LocalBroker", "LocalCluster", "jars_folder"]
