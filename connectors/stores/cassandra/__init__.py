"""The memory store on Cassandra. Needs the driver (extra ``cassandra``), imported when a store first connects."""

from connectors.stores.cassandra.store import CassandraMemoryStore

__all__ = ["CassandraMemoryStore"]
