"""Runs the server and is its only door: it listens on loopback, and hands each connection on.

The server itself listens on all interfaces, on some ten ports, whatever it is told. So it gets a network namespace of its own
that holds nothing but a loopback interface: what it opens there, nobody can reach, and the one port outside belongs to this
process, which opened it before. Needs the right to make namespaces; ``private`` false does without, and leaves the server open.

    python -m infra.milvus.keeper PLAN      a JSON file, see Plan

Invariant: the door opens only when the server is healthy, and server and keeper end together, whichever goes first.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

NEWUSER, NEWNET = 0x10000000, 0x40000000
SIOCSIFFLAGS, IFF_UP_RUNNING = 0x8914, 0x41
PR_SET_PDEATHSIG = 1
HOST = "127.0.0.1"
HEALTH_PAUSE = 0.1
STOP_SECONDS = 3.0
"""Its own shutdown may hang or panic; what it acknowledged is on the disk before."""
CHUNK = 1 << 18
NOT_PRIVATE = 77
"""Exit code: the system refuses a namespace."""
BUSY = 78
"""Exit code: the port is taken."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``port``: of the door. ``inner``, ``health``: of the server. ``environment``: beside the keeper's own."""

    command: Sequence[str]
    folder: str
    environment: Mapping[str, str]
    port: int
    inner: int
    health: int
    private: bool

    @classmethod
    def read(cls, path: Path) -> Plan:
        return cls(**json.loads(path.read_text()))

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))


def go_private() -> None:
    """Leaves the network: only a loopback interface of our own is left. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(NEWNET):
        if libc.unshare(NEWUSER | NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP_RUNNING))


def _die_with_keeper() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


async def _healthy(port: int, server: subprocess.Popen[bytes]) -> bool:
    """Waits; False if the server ended instead."""

    def asked() -> bool:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/healthz", timeout=5) as answer:
                return b"OK" in answer.read()
        except OSError:
            return False

    while server.poll() is None:
        if await asyncio.to_thread(asked):
            return True
        await asyncio.sleep(HEALTH_PAUSE)
    return False


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(CHUNK):
            writer.write(piece)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


async def _serve(plan: Plan, door: socket.socket, server: subprocess.Popen[bytes]) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    async def hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection(HOST, plan.inner, limit=CHUNK)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pour(reader, inner_writer), _pour(inner_reader, writer))

    async def doorkeeping() -> None:
        if await _healthy(plan.health, server):
            await asyncio.start_server(hand_on, sock=door, limit=CHUNK)

    async def mourning() -> None:
        await asyncio.to_thread(server.wait)
        stop.set()

    tasks = [asyncio.create_task(doorkeeping()), asyncio.create_task(mourning())]
    await stop.wait()
    for task in tasks:
        task.cancel()
    door.close()
    return await asyncio.to_thread(_end, server)


def _end(server: subprocess.Popen[bytes]) -> int:
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        return 0
    return server.returncode or 1


def main(plan: Plan) -> int:
    """Exit code: 0 after a stop; NOT_PRIVATE, BUSY; else what the server ended with."""
    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((HOST, plan.port))
    except OSError as error:
        sys.stderr.write(f"port {plan.port}: {error.strerror}\n")
        return BUSY
    if plan.private:
        try:
            go_private()
        except OSError as error:
            sys.stderr.write(f"no network namespace: {error.strerror}\n")
            return NOT_PRIVATE
    server = subprocess.Popen(
        list(plan.command),
        cwd=plan.folder,
        env={**os.environ, **plan.environment},
        stdin=subprocess.DEVNULL,
        preexec_fn=_die_with_keeper,  # noqa: PLW1509  (no thread runs yet)
    )
    return asyncio.run(_serve(plan, door, server))


if __name__ == "__main__":
    sys.exit(main(Plan.read(Path(sys.argv[1]))))
