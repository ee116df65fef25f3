"""Several Cassandra nodes on this machine as one ring, each on a loopback address of its own: 127.0.0.1, 127.0.0.2 and so on.

Assumes a system that has all of 127.0.0.0/8, as Linux does. Invariant: no node outlives ``stop``, nor a start that fails.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from infra.broker.ports import free_port
from infra.cassandra.node import HEAP, CassandraNode


class LocalRing:
    """``nodes`` nodes of ``state_dir``, all on one port."""

    def __init__(
        self,
        state_dir: Path,
        nodes: int = 2,
        *,
        jars: Path | None = None,
        heap: str = HEAP,
        configuration: Mapping[str, Any] | None = None,
    ) -> None:
        self.port = free_port()
        storage_port = free_port()
        self.nodes = [
            CassandraNode(
                state_dir,
                name=f"cassandra-{number}",
                address=f"127.0.0.{number}",
                port=self.port,
                storage_port=storage_port,
                seeds=("127.0.0.1",),
                jars=jars,
                heap=heap,
                configuration={"auto_bootstrap": False, **(configuration or {})},  # a ring begins empty: nothing to fetch
            )
            for number in range(1, nodes + 1)
        ]

    @property
    def addresses(self) -> list[str]:
        return [node.address for node in self.nodes]

    def start(self) -> None:
        """One after the other, as they join."""
        try:
            for node in self.nodes:
                node.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """All of them, the first ones, by which the others joined, last."""
        for node in reversed(self.nodes):
            node.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
