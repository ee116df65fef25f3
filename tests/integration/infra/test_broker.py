"""The real broker through its whole life: start, second start, kill -9, restart, interrupted start, clean stop."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from infra.broker import BrokerError, LocalBroker
from infra.broker.errors import DiskFullError, PortBusyError
from tests.conftest import ROOT

pytestmark = [pytest.mark.kafka, pytest.mark.usefixtures("broker")]  # the session's broker makes sure that the jars are there


@pytest.fixture
def local(tmp_path: Path, jars_dir: Path) -> Iterator[LocalBroker]:
    broker = LocalBroker(tmp_path / "state", jars=jars_dir, record_startup=False)
    yield broker
    broker.stop()


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every process that names ``folder`` on its command line."""
    living = [item for item in psutil.process_iter(["cmdline", "status"]) if item.info["status"] != psutil.STATUS_ZOMBIE]
    return [item for item in living if str(folder) in " ".join(item.info["cmdline"] or [])]


async def write(bootstrap: str, count: int) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await client.start()
    await client.create_topics([NewTopic("kept", 1, 1)])
    await client.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    for number in range(count):
        await producer.send("kept", str(number).encode())
    await producer.stop()


async def read(bootstrap: str, count: int) -> list[str]:
    consumer = AIOKafkaConsumer("kept", bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        return [(await asyncio.wait_for(consumer.getone(), 30)).value.decode() for _ in range(count)]
    finally:
        await consumer.stop()


def test_start_is_once_and_stop_is_clean_and_complete(local: LocalBroker, tmp_path: Path, jars_dir: Path) -> None:
    assert local.start() is True
    first = local.status()
    assert (first.running, first.answers) == (True, True)
    assert first.cluster_id
    again = LocalBroker(tmp_path / "state", jars=jars_dir)
    assert again.start() is False
    assert again.pid == first.pid
    with pytest.raises(BrokerError, match=f"already runs, on port {first.bootstrap.split(':')[1]}"):
        LocalBroker(tmp_path / "state", jars=jars_dir, port=1).start()
    assert again.stop() is True
    assert processes_of(tmp_path) == []
    assert (tmp_path / "state/broker/data/.kafka_cleanshutdown").exists()
    assert not local.status().running
    assert local.stop() is False


def test_it_listens_on_loopback_only(local: LocalBroker) -> None:
    local.start()
    assert local.pid is not None
    listening = [
        item.laddr.ip for item in psutil.Process(local.pid).net_connections("tcp") if item.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 2
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}


async def test_kill_9_loses_nothing_and_the_port_is_kept(local: LocalBroker, tmp_path: Path) -> None:
    await asyncio.to_thread(local.start)
    bootstrap, pid, cluster = local.bootstrap, local.pid, local.status().cluster_id
    assert pid is not None
    await write(bootstrap, 500)
    os.kill(pid, signal.SIGKILL)
    psutil.Process(pid).wait(10)
    assert not local.status().running
    assert await asyncio.to_thread(local.start) is True
    assert local.pid != pid
    assert local.bootstrap == bootstrap
    assert local.status().cluster_id == cluster
    assert await read(bootstrap, 500) == [str(number) for number in range(500)]


def test_a_pid_file_of_the_dead_naming_a_living_process_is_not_believed(local: LocalBroker, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "broker"
    folder.mkdir(parents=True)
    (folder / "broker.pid").write_text(f'{{"pid": {os.getpid()}, "mark": "before the reboot", "port": 9092}}')
    assert local.pid is None
    assert local.start() is True
    assert local.pid != os.getpid()


def test_busy_port_is_an_error_and_leaves_nothing(tmp_path: Path, jars_dir: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(PortBusyError, match=f"port {port} on 127"):
            LocalBroker(tmp_path, port=port, jars=jars_dir).start()
    assert processes_of(tmp_path) == []


def test_a_port_taken_after_the_look_is_read_from_the_log(
    tmp_path: Path, jars_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look is blinded, so that the broker itself meets the busy port."""
    monkeypatch.setattr("infra.broker.local.demand_free", lambda _port: None)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(PortBusyError, match="taken by another program"):
            LocalBroker(tmp_path, port=holder.getsockname()[1], jars=jars_dir).start()
    assert processes_of(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", disk], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.slow
async def test_full_disk_is_said_and_what_was_acknowledged_is_kept(
    small_disk: Path, jars_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = LocalBroker(small_disk, jars=jars_dir, record_startup=False)
    with pytest.raises(DiskFullError, match="0 MiB free"):
        local.start()
    monkeypatch.setattr("infra.broker.local.SPACE", 0)
    with pytest.raises(DiskFullError, match="the disk is full"):
        local.start()
    subprocess.run(["mount", "-o", "remount,size=24m", small_disk], check=True)
    try:
        await asyncio.to_thread(local.start)
        acknowledged = await fill(local.bootstrap)
        assert 0 < acknowledged < 1000
        await until_gone(local)
        assert isinstance(local.death(), DiskFullError), local.death()
        with pytest.raises(DiskFullError):
            _ = local.bootstrap
        subprocess.run(["mount", "-o", "remount,size=256m", small_disk], check=True)
        await asyncio.to_thread(local.start)
        assert len(await read(local.bootstrap, acknowledged)) == acknowledged
    finally:
        local.stop()
    assert processes_of(small_disk) == []


async def until_gone(local: LocalBroker) -> None:
    """The broker shuts down by itself; its process may outlive its port by some seconds."""
    for _ in range(600):
        if local.pid is None:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the broker still runs")


async def fill(bootstrap: str) -> int:
    """Write 40 kB records one by one until the broker is gone; how many it acknowledged."""
    await write(bootstrap, 0)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", request_timeout_ms=2000)
    await producer.start()
    acknowledged = 0
    try:
        for number in range(1000):
            text = f"{number} ".encode() * 8000
            await asyncio.wait_for(producer.send_and_wait("kept", text[:40_000]), 5)
            acknowledged += 1
    except (KafkaError, TimeoutError):
        pass
    with suppress(KafkaError, TimeoutError):
        await asyncio.wait_for(producer.stop(), 5)
    return acknowledged


def test_ctrl_c_during_the_start_leaves_no_process(tmp_path: Path, jars_dir: Path) -> None:
    environment = {**os.environ, "MONMOUTH_STATE_DIR": str(tmp_path), "MONMOUTH_JARS": str(jars_dir)}
    starter = subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "infra", "up"], cwd=ROOT, env=environment, start_new_session=True
    )
    pid_file = tmp_path / "broker" / "broker.pid"
    deadline = time.monotonic() + 60
    while not pid_file.exists():
        assert time.monotonic() < deadline
        assert starter.poll() is None
        time.sleep(0.005)
    os.killpg(starter.pid, signal.SIGINT)
    assert starter.wait(30) == 130
    assert processes_of(tmp_path) == []
    assert not pid_file.exists()


def test_two_brokers_share_jars_and_nothing_else(local: LocalBroker, tmp_path: Path, jars_dir: Path) -> None:
    local.start()
    with LocalBroker(tmp_path / "other", jars=jars_dir, record_startup=False) as other:
        assert other.bootstrap != local.bootstrap
        assert other.status().cluster_id != local.status().cluster_id
    assert local.status().answers


@pytest.mark.slow
def test_startup_cache_is_recorded_used_and_dropped_when_damaged(tmp_path: Path, jars_dir: Path) -> None:
    jars = tmp_path / "jars"
    jars.mkdir()
    for jar in jars_dir.glob("*.jar"):
        (jars / jar.name).hardlink_to(jar)
    broker = LocalBroker(tmp_path / "state", jars=jars)
    broker.start()
    assert "-XX:AOTCacheOutput=" in command_line(broker)
    broker.stop()
    assert processes_of(tmp_path) == []
    (cache,) = jars.glob("*.aot")
    try:
        broker.start()
        assert f"-XX:AOTCache={cache}" in command_line(broker)
        broker.stop()
        with cache.open("r+b") as file:
            file.seek(1000)
            file.write(b"damage")
        assert LocalBroker(tmp_path / "state", jars=jars, record_startup=False).start()
        assert "AOTCache" not in command_line(broker)
        assert not cache.exists()
    finally:
        broker.stop()


def command_line(broker: LocalBroker) -> str:
    return " ".join(psutil.Process(broker.pid).cmdline())


def test_damaged_meta_properties_are_said(local: LocalBroker, tmp_path: Path) -> None:
    local.start()
    local.stop()
    (tmp_path / "state/broker/data/meta.properties").write_text("")
    with pytest.raises(BrokerError, match=r"meta\.properties is damaged"):
        local.start()
