"""One geth process on loopback, alone: no peers, no discovery; an archive, so that orphans stay."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Literal

from connectors.chain.jsonrpc import JsonRpc
from infra.broker.ports import free_port
from tests.geth.genesis import genesis

START_SECONDS = 60.0
STOP_SECONDS = 30.0
CONFIG = '[Node.P2P]\nListenAddr = ""\nNoDiscovery = true\nMaxPeers = 0\n'
Scheme = Literal["hash", "path"]


class GethNode:
    """A node over ``folder``, which ``start`` fills once. ``scheme``: "hash" writes every state; "path" holds the newest
    ones in memory. With either the database itself loses its last writes when the process is killed.
    """

    def __init__(self, binary: Path, folder: Path, scheme: Scheme = "hash") -> None:
        self._binary = binary
        self._folder = folder
        self._scheme = scheme
        self._process: subprocess.Popen[bytes] | None = None
        self._port, self._ws_port, self._engine_port = free_port(), free_port(), free_port()
        self.secret = secrets.token_bytes(32)
        self.http = f"http://127.0.0.1:{self._port}"
        self.ws = f"ws://127.0.0.1:{self._ws_port}"
        self.engine = f"http://127.0.0.1:{self._engine_port}"
        self.rpc = JsonRpc(self.http)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def start(self) -> None:
        """Starts it on the data it has; the first time, on a fresh chain. Raises RuntimeError."""
        if not self._data.exists():
            self._init()
        command = [
            str(self._binary), "--datadir", str(self._data), "--config", str(self._folder / "config.toml"),
            "--networkid", "1337", "--syncmode", "full", "--gcmode", "archive", "--state.scheme", self._scheme,
            "--nodiscover", "--maxpeers", "0", "--nat", "none", "--ipcdisable", "--cache", "64", "--verbosity", "3",
            "--engine.maxreorgdepth", "0", "--authrpc.addr", "127.0.0.1", "--authrpc.port", str(self._engine_port),
            "--authrpc.jwtsecret", str(self._folder / "jwt"),
            "--http", "--http.port", str(self._port), "--http.api", "eth,net,web3,debug,txpool",
            "--ws", "--ws.port", str(self._ws_port), "--ws.api", "eth",
        ]  # fmt: skip
        with (self._folder / "geth.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        for port in (self._port, self._ws_port, self._engine_port):
            self._wait(port, deadline)

    def _init(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "jwt").write_text(self.secret.hex())
        (self._folder / "config.toml").write_text(CONFIG)
        first = self._folder / "genesis.json"
        if not first.exists():
            first.write_text(json.dumps(genesis(self._binary)))
        command = [str(self._binary), "init", "--datadir", str(self._data), "--state.scheme", self._scheme, str(first)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    def _wait(self, port: int, deadline: float) -> None:
        assert self._process is not None
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        tail = (self._folder / "geth.log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"geth did not start, exit code {self._process.poll()}:\n{tail}")

    def kill(self) -> None:
        """Takes the process away in the middle of what it does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ends it as an operator does. Does nothing where it does not run."""
        self._end(signal.SIGTERM)

    def wipe(self) -> None:
        """Kills it and takes its data away: the next start is from the same genesis block, and knows no other."""
        self.kill()
        shutil.rmtree(self._data, ignore_errors=True)

    def _end(self, by: signal.Signals) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(by)
        try:
            process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    async def hashes(self) -> list[bytes]:
        """Hashes of the canonical chain, from block 0."""
        head = int((await self.rpc.call("eth_getBlockByNumber", "latest", False))["number"], 16)
        answers = await self.rpc.batch([("eth_getBlockByNumber", [hex(number), False]) for number in range(head + 1)])
        return [bytes.fromhex(answer["hash"][2:]) for answer in answers]
