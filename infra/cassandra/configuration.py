"""cassandra.yaml and the command line's options of a local node. Pure.

Invariant: the node listens on its loopback address only, and acknowledges a write after it lies on the disk
(``commitlog_sync: batch``): with the product's default, an acknowledged write of the last ten seconds dies with the process.
The text is JSON, which is YAML too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOGBACK = """<configuration scan="false">
  <appender name="STDOUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d{HH:mm:ss.SSS} %-5level [%thread] %logger{0} - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="STDOUT"/></root>
</configuration>
"""
EXPORTS = (
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.base/java.lang.ref",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
    "jdk.attach/sun.tools.attach",
)
OPENS = (
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.math",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "java.rmi/sun.rmi.transport.tcp",
    "jdk.management/com.sun.management.internal",
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node listens. ``storage_port`` is one for the whole ring; ``seeds``: addresses of nodes to join by."""

    address: str
    port: int
    storage_port: int
    seeds: Sequence[str] = ("127.0.0.1",)


def node_configuration(folder: Path, place: Place, more: Mapping[str, Any]) -> str:
    """The text of cassandra.yaml. ``more`` adds to it or takes the place of what stands here."""
    seeds = ",".join(f"{seed}:{place.storage_port}" for seed in place.seeds)
    said: dict[str, Any] = {
        "cluster_name": "monmouth",
        "num_tokens": 4,
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
        "endpoint_snitch": "SimpleSnitch",
        "seed_provider": [
            {"class_name": "org.apache.cassandra.locator.SimpleSeedProvider", "parameters": [{"seeds": seeds}]},
        ],
        "listen_address": place.address,
        "rpc_address": place.address,
        "storage_port": place.storage_port,
        "native_transport_port": place.port,
        "start_native_transport": True,
        "data_file_directories": [str(folder / "data")],
        "commitlog_directory": str(folder / "commitlog"),
        "saved_caches_directory": str(folder / "saved_caches"),
        "hints_directory": str(folder / "hints"),
        "cdc_raw_directory": str(folder / "cdc_raw"),
        "commitlog_sync": "batch",
        "commitlog_segment_size": "16MiB",
        "commitlog_total_space": "256MiB",
        "memtable_heap_space": "96MiB",
        "memtable_offheap_space": "128MiB",
        "memtable_allocation_type": "offheap_objects",
        "memtable": {"configurations": {"trie": {"class_name": "TrieMemtable"}, "default": {"inherits": "trie"}}},
        "file_cache_size": "64MiB",
        "key_cache_size": "16MiB",
        "counter_cache_size": "0MiB",
        "concurrent_reads": 8,
        "concurrent_writes": 16,
        "concurrent_counter_writes": 2,
        "concurrent_compactors": 1,
        "storage_compatibility_mode": "NONE",
        "sstable": {"selected_format": "bti"},
        "auto_snapshot": False,
        "disk_failure_policy": "die",
        "commit_failure_policy": "die",
    }
    return json.dumps({**said, **more}, indent=1)


def opened() -> list[str]:
    """What Cassandra's programs reach into the Java runtime for."""
    exports = [word for name in EXPORTS for word in ("--add-exports", f"{name}=ALL-UNNAMED")]
    return exports + [word for name in OPENS for word in ("--add-opens", f"{name}=ALL-UNNAMED")]


def options(folder: Path, heap: str, joins: bool) -> list[str]:
    """What the Java runtime is told. ``joins``: the node has others to learn from, which takes seconds."""
    return [
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:+ExitOnOutOfMemoryError",
        "-XX:+PerfDisableSharedMem",
        "-XX:MaxDirectMemorySize=512m",
        "-Xss512k",
        "-Xms128m",
        f"-Xmx{heap}",
        f"-XX:ErrorFile={folder}/java-error-%p.log",
        "-Djava.net.preferIPv4Stack=true",
        "-Djdk.attach.allowAttachSelf=true",
        "-Dio.netty.tryReflectionSetAccessible=true",
        "-Dio.netty.allocator.useCacheForAllThreads=true",
        "-Dio.netty.allocator.maxOrder=11",
        *opened(),
        f"-Djava.io.tmpdir={folder / 'tmp'}",
        f"-Djna.tmpdir={folder / 'tmp'}",
        f"-Dcassandra.config={(folder / 'conf' / 'cassandra.yaml').as_uri()}",
        f"-Dlogback.configurationFile={folder}/conf/logback.xml",
        f"-Dcassandra.storagedir={folder}",
        f"-Dcassandra.logdir={folder}",
        "-Dcassandra-foreground=yes",
        "-Dcassandra.superuser_setup_delay_ms=0",
        "-Dcassandra.skip_wait_for_gossip_to_settle=0",
        f"-Dcassandra.ring_delay_ms={2000 if joins else 100}",
    ]
