"""The configuration of the local server: storage on this disk, little memory, and what is deleted leaves the disk soon.

In the server's own defaults deleted rows stay in its files for hours to days. Here a segment is rewritten without them when
compaction is asked for, old files go within a minute, and the message log forgets after a quarter of an hour.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
CONFIGS = "configs"
"""Folder of the server's files, below its base."""
COMPONENTS = ("rootCoord", "queryCoord", "queryNode", "indexNode", "dataCoord", "dataNode")
GC_SECONDS = 10
MISSING_SECONDS = 600
"""A file that no row of the catalogue names is garbage after so long: much more than writing it may take."""
SYNC_SECONDS = 60
SESSION_SECONDS = 10
"""After a kill the server waits so long for its former self before it has collections in memory again; 30 in its defaults."""
TICK_MS = 50
"""A reader sees a write at the next tick, 200 ms in the server's own defaults."""
LOG_MINUTES = 15
"""Must be far more than SYNC_SECONDS: what is in no segment yet is in this log alone."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the server listens. ``components``: in the order of COMPONENTS."""

    proxy: int
    internal: int
    health: int
    etcd: int
    etcd_peer: int
    components: tuple[int, ...]

    @classmethod
    def of(cls, numbers: tuple[int, ...]) -> Ports:
        """From ``COUNT`` numbers."""
        proxy, internal, health, etcd, etcd_peer, *components = numbers
        return cls(proxy, internal, health, etcd, etcd_peer, tuple(components))


COUNT = 5 + len(COMPONENTS)
_NATIVE_LOG = "--logtostderr=true\n--minloglevel=1\n--v=0\n"
PRIVATE = Ports.of(tuple(range(19_530, 19_530 + COUNT)))
"""Of a server that has the network to itself."""


def write_configuration(base: Path, ports: Ports, extra: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Writes the server's files below ``base``; the environment it needs beside them. ``extra``: dotted name to value."""
    folder = base / CONFIGS
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in configuration_files(base, ports, extra).items():
        (folder / name).write_text(text)
    return environment(base, ports)


def environment(base: Path, ports: Ports) -> dict[str, str]:
    """What a server with these files is to find in its environment."""
    return {
        "DEPLOY_MODE": "STANDALONE",
        "METRICS_PORT": str(ports.health),
        "MILVUSCONF": str(base / CONFIGS),
        "MILVUS_RUN_DIR": str(base / "run"),
    }


def configuration_files(base: Path, ports: Ports, extra: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Text by name, of files in ``base`` / CONFIGS. JSON is YAML."""
    tree = _server(base, ports, base / CONFIGS / "etcd.yaml")
    for name, value in (extra or {}).items():
        *path, last = name.split(".")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return {
        "etcd.yaml": json.dumps(_etcd(base, ports), indent=1),
        "glog.conf": _NATIVE_LOG,
        "milvus.yaml": json.dumps(tree, indent=1),
    }


def _etcd(base: Path, ports: Ports) -> dict[str, Any]:
    client, peer = f"http://{HOST}:{ports.etcd}", f"http://{HOST}:{ports.etcd_peer}"
    return {
        "name": "default",
        "data-dir": str(base / "data" / "etcd"),
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"default={peer}",
        "log-outputs": [str(base / "etcd.log")],
        "log-level": "warn",
    }


def _server(base: Path, ports: Ports, etcd: Path) -> dict[str, Any]:
    data = base / "data"
    listeners = {name: {"ip": HOST, "port": port} for name, port in zip(COMPONENTS, ports.components, strict=True)}
    tree: dict[str, Any] = {
        "etcd": {
            "endpoints": f"{HOST}:{ports.etcd}",
            "use": {"embed": True},
            "data": {"dir": str(data / "etcd")},
            "config": {"path": str(etcd)},
        },
        "localStorage": {"path": str(data)},
        "mq": {"type": "rocksmq"},
        "rocksmq": {
            "path": str(data / "rocksmq"),
            "retentionTimeInMinutes": LOG_MINUTES,
            "retentionSizeInMB": 1024,
            "compactionInterval": 60,
            "timtickerInterval": 30,
            "rocksmqPageSize": 64 << 10,
        },
        "proxy": {
            "ip": HOST,
            "port": ports.proxy,
            "internalPort": ports.internal,
            "timeTickInterval": TICK_MS,
            "http": {"enabled": False},
        },
        "log": {"level": "warn", "file": {"rootPath": ""}, "stdout": True},
        "common": {
            "storageType": "local",
            "security": {"authorizationEnabled": False},
            "session": {"ttl": SESSION_SECONDS},
        },
        "quotaAndLimits": {"enabled": True},
    }
    for name, listener in listeners.items():
        tree[name] = {**listener}
    tree["dataCoord"]["gc"] = {"interval": GC_SECONDS, "missingTolerance": MISSING_SECONDS, "dropTolerance": GC_SECONDS}
    tree["dataNode"]["segment"] = {"syncPeriod": SYNC_SECONDS}
    tree["dataCoord"]["enableCompaction"] = True
    tree["dataCoord"]["enableGarbageCollection"] = True
    return tree
