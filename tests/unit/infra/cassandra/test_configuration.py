"""What a local node is told: loopback, durable, small, and what it must be given on top."""

from __future__ import annotations

from pathlib import Path

import yaml

from infra.broker.jars import LOCK as KAFKA
from infra.broker.jars import parse_lock
from infra.cassandra.configuration import Place, node_configuration, options
from infra.cassandra.node import LOCK

HERE = Path("/state/cassandra")


def test_a_node_listens_on_its_address_only_and_acknowledges_what_is_on_the_disk() -> None:
    said = yaml.safe_load(node_configuration(HERE, Place("127.0.0.2", 9042, 7000, ("127.0.0.1",)), {}))
    assert (said["listen_address"], said["rpc_address"]) == ("127.0.0.2", "127.0.0.2")
    assert (said["native_transport_port"], said["storage_port"]) == (9042, 7000)
    assert said["seed_provider"][0]["parameters"] == [{"seeds": "127.0.0.1:7000"}]
    assert said["commitlog_sync"] == "batch" and "commitlog_sync_period" not in said
    assert all(str(HERE) in str(said[name]) for name in said if name.endswith(("_directory", "_directories")))


def test_more_takes_the_place_of_what_stands_there() -> None:
    said = yaml.safe_load(node_configuration(HERE, Place("127.0.0.1", 1, 2), {"num_tokens": 1, "authenticator": "X"}))
    assert (said["num_tokens"], said["authenticator"]) == (1, "X")


def test_java_gets_a_small_heap_and_no_port_of_its_own() -> None:
    told = options(HERE, "300m", joins=False)
    assert "-Xmx300m" in told and not any("jmx" in option for option in told if option.startswith("-D"))
    assert "-Dcassandra.ring_delay_ms=100" in told and "-Dcassandra.ring_delay_ms=2000" in options(HERE, "1m", joins=True)


def test_the_lock_is_one_consistent_cassandra_and_agrees_with_kafkas_where_both_name_a_file() -> None:
    jars = {jar.file: jar for jar in parse_lock(LOCK.read_text())}
    assert jars["cassandra-all-5.0.9.jar"].coordinate == "org.apache.cassandra:cassandra-all:5.0.9" and len(jars) == 86
    shared = [jar for jar in parse_lock(KAFKA.read_text()) if jar.file in jars]
    assert all(jars[jar.file] == jar for jar in shared), "both lie in one folder"
