"""The real Apache Cassandra as a local process, or several on 127.0.0.1, 127.0.0.2 and so on.

It needs Java 17, which is the system's or comes as a Python package; the jars are checked against a lock file.
"""

from infra.cassandra.node import CassandraNode, NodeStatus
from infra.cassandra.ring import LocalRing

__all__ = ["CassandraNode", "LocalRing", "NodeStatus"]
