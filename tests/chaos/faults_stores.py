"""Faults of the stores that stream agents write: slow, refusing by turns, and on a disk that is full.

They strike what the product's own code calls: LMDB's write lock, write(2), and the disk itself.
"""

from __future__ import annotations

import asyncio
import re
import resource
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from tests.chaos.small_disk import fill, free, room
from tests.chaos.stage import Needs, Stage
from tests.checker.events import Kill, Start

HOLD_SECONDS, REST_SECONDS, HOLDS = 1.5, 0.1, 5
REFUSED_BYTES = 4096
"""Files may not be written beyond this: no page of a store can be."""
DISK_BYTES = 64 * 1024 * 1024
FULL_SECONDS = 8.0
BROKERS_DISK_BYTES = 2 * 1024 * 1024 * 1024
"""A broker does not start with less than 512 MiB free."""
BROKERS_FULL_SECONDS = 150.0
"""Much longer than the block producer waits for a confirmation (the transaction timeout and kafka_log.GRACE)."""
SAID = re.compile("the broker did not confirm a write|no use of the broker")
HOLDER = """
import sys, lmdb
held = [lmdb.open(path, max_dbs=8, map_size=64 << 30, create=False).begin(write=True) for path in sys.argv[1:]]
print("held", flush=True)
sys.stdin.read()
"""


def stores(stage: Stage) -> list[Path]:
    """Folders of the LMDB environments that the stream agents aimed at write."""
    state = stage.settings.state_dir
    outside = {"memory": "memory_store", "embedding": "vectors"}
    folders = [state / outside[name] for name in stage.struck if name in outside]
    folders += [place.parent for name in stage.struck for place in sorted((state / "local" / name).glob("*/data.mdb"))]
    return [folder for folder in folders if (folder / "data.mdb").exists()]


async def slow_store(stage: Stage, random: Random) -> None:
    """Another process holds the write lock of every store for 1.5 s, five times with hardly a pause: one write a turn."""
    stage.recorder.say(Kill(process="stores", fault="slow"))
    for _ in range(HOLDS):
        await asyncio.to_thread(_held, stores(stage), HOLD_SECONDS)
        await asyncio.sleep(REST_SECONDS)
    stage.recorder.say(Start(process="stores"))


def _held(folders: list[Path], seconds: float) -> None:
    command = [sys.executable, "-c", HOLDER, *map(str, folders)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == b"held\n", holder.communicate()
            with _patience():
                holder.wait(seconds)
        finally:
            holder.kill()  # with the lock in its hands: the next writer must get it all the same


@contextmanager
def _patience() -> Iterator[None]:
    try:
        yield
    except subprocess.TimeoutExpired:
        return


async def flapping_store(stage: Stage, random: Random) -> None:
    """The workers' writes to files are refused (EFBIG) and allowed again, four times within about eight seconds."""
    stage.recorder.say(Kill(process="stores", fault="flapping"))
    for _ in range(4):
        _limit(stage, REFUSED_BYTES)
        await asyncio.sleep(random.uniform(0.5, 2.0))
        _limit(stage, resource.RLIM_INFINITY)
        await asyncio.sleep(random.uniform(0.3, 1.0))
    stage.recorder.say(Start(process="stores"))


def _limit(stage: Stage, most: int) -> None:
    """``most``: bytes a file of a worker may have. The soft limit, so that it can be raised again."""
    for name in stage.processes.named("worker"):
        process = stage.processes.children[name].process
        if process.poll() is None:
            _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (most, hard))


async def disk_full(stage: Stage, random: Random) -> None:
    """Not a byte is left on the disk of all state, local and stores, for eight seconds; then there is room again."""
    state = stage.settings.state_dir
    stage.recorder.say(Kill(process="disk", fault="full"))
    await asyncio.to_thread(fill, state)
    try:
        assert room(state) == 0
        await asyncio.sleep(FULL_SECONDS)
    finally:
        free(state)
    stage.recorder.say(Start(process="disk"))


async def brokers_disk_full(stage: Stage, random: Random) -> None:
    """Not a byte is left on the brokers' disk until they are down and the producer has said so; then they start again."""
    disk, log = stage.brokers_disk, stage.processes.logs / "producer.log"
    assert disk is not None
    before, struck = log.stat().st_size, set[int]()
    try:
        async with asyncio.timeout(BROKERS_FULL_SECONDS):
            while not (struck and SAID.search(_since(log, before))):
                await asyncio.to_thread(fill, disk)  # a broker that goes down gives some back
                await asyncio.sleep(1)
                for number in _down(stage) - struck:  # it goes on for a while, in the files it has
                    struck.add(number)
                    stage.say_kill(number, "disk full")
    except TimeoutError:
        raise AssertionError(f"brokers down: {sorted(struck)}; the producer said: {_since(log, before)[-500:]}") from None
    finally:
        free(disk)
    await asyncio.to_thread(stage.cluster.start)
    await stage.cluster.in_sync()
    for number in sorted(struck):
        stage.say_start(number)
    assert "Traceback" not in _since(log, before)


def _down(stage: Stage) -> set[int]:
    return {number for number, node in stage.cluster.nodes.items() if node.pid is None}


def _since(log: Path, size: int) -> str:
    """What was logged behind the first ``size`` bytes."""
    return log.read_bytes()[size:].decode(errors="replace")


FAULTS: dict[str, Callable[[Stage, Random], Awaitable[None]]] = {
    "slow-store": slow_store,
    "flapping-store": flapping_store,
    "disk-full": disk_full,
    "brokers-disk-full": brokers_disk_full,
}
AIMS = {
    "slow-store": ("memory", "embedding", "lattice", "graph"),
    "flapping-store": ("memory", "embedding", "lattice", "graph"),
}
NEEDS = {"disk-full": Needs(disk=DISK_BYTES), "brokers-disk-full": Needs(brokers_disk=BROKERS_DISK_BYTES)}
