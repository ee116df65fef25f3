"""``monmouth`` commands as processes of their own, where a test must kill one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from streams.settings import Settings
from tests.conftest import ROOT

STOP_SECONDS = 30
KILLED = -signal.SIGKILL


def environment(settings: Settings) -> dict[str, str]:
    """This process's environment, with these settings and no others of the product's."""
    kafka, chain = settings.kafka, settings.chain
    said = {
        "STATE_DIR": settings.state_dir,
        "KAFKA__BOOTSTRAP": kafka.bootstrap,
        "KAFKA__PREFIX": kafka.prefix,
        "KAFKA__PARTITIONS": kafka.partitions,
        "KAFKA__SESSION_TIMEOUT_MS": kafka.session_timeout_ms,
        "KAFKA__HEARTBEAT_INTERVAL_MS": kafka.heartbeat_interval_ms,
        "CHAIN__RPC_URL": chain.rpc_url,
        "CHAIN__POLL_INTERVAL": chain.poll_interval,
        **{f"SECURITY__{name.upper()}": file for name, file in settings.security.model_dump().items()},
        "RAG__MODELS_PATH": settings.path(settings.rag.models_path).resolve(),
    }
    others = {name: value for name, value in os.environ.items() if not name.startswith("MONMOUTH_")}
    if settings.tracing.endpoint:
        said["TRACING__ENDPOINT"] = settings.tracing.endpoint
    if kafka.instance_id is not None:
        said["KAFKA__INSTANCE_ID"] = kafka.instance_id
    return {**others, **{f"MONMOUTH_{name}": str(value) for name, value in said.items()}}


class Child:
    """One running command. ``kill`` is kill -9; ``stop`` asks and expects a clean end. ``prepare`` runs in it first."""

    def __init__(self, settings: Settings, *arguments: str, prepare: Callable[[], None] | None = None) -> None:
        self.log = Path(settings.state_dir) / "logs" / f"{arguments[0]}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streams.cli", "-v", *arguments],
                cwd=ROOT,
                env=environment(settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=prepare,  # noqa: PLW1509
            )

    def check(self) -> None:
        """Asserts that it still runs."""
        assert self.process.poll() is None, self.said()

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4000:]

    def kill(self) -> None:
        """kill -9, in whatever it was doing."""
        self.check()
        self.process.kill()
        assert self.process.wait(STOP_SECONDS) == KILLED

    def stop(self) -> None:
        """SIGTERM; it must end by itself with exit code 0."""
        self.process.terminate()
        assert self.process.wait(STOP_SECONDS) == 0, self.said()


@asynccontextmanager
async def running(settings: Settings, *arguments: str) -> AsyncIterator[Child]:
    """A child that is stopped, and must stop cleanly, unless the test killed it; on any failure it is killed.

    The loop goes on meanwhile: it may serve the node the child talks to.
    """
    child = Child(settings, *arguments)
    try:
        yield child
        if child.process.returncode != KILLED:
            await asyncio.to_thread(child.stop)
    finally:
        if child.process.poll() is None:
            child.process.kill()
            child.process.wait(STOP_SECONDS)


def run(settings: Settings, *arguments: str, timeout: float = 60.0) -> tuple[int, str]:
    """Runs a command to its end: (exit code, everything it said)."""
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments],
        cwd=ROOT,
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
