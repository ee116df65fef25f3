"""The small HTTP server beside the work: /metrics, and /livez, /readyz and /startupz where somebody answers them.

It runs on threads, so that it answers while the event loop is busy, and says so if that is stuck. Invariants: it reads no body
and shows nothing but metrics and complaints; a client that is slow is dropped.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from streams.errors import ConfigurationError
from streams.health import Health
from streams.metrics import REGISTRY

CLIENT_SECONDS = 10.0

Answer = Callable[[], Sequence[str]]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class ProbeServer:
    """A running server."""

    server: WSGIServer
    thread: threading.Thread

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self.server.server_port

    def stop(self) -> None:
        """Stops and waits for it."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(timeout=5)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    timeout = CLIENT_SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Probes come every few seconds."""


def serve_probes(host: str, port: int, health: Health | None = None, setting: str = "PROBES__PORT") -> ProbeServer:
    """Starts on a thread; port 0 takes a free one. ``setting`` names the port's. Raises ConfigurationError if it is taken."""
    probes = {} if health is None else {"/livez": health.live, "/readyz": health.ready, "/startupz": health.startup}
    try:
        server = make_server(host, port, _application(probes), _Server6 if ":" in host else _Server, _Quiet)
    except (OSError, OverflowError) as error:
        raise ConfigurationError(
            f"metrics and probes cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}",
            f"Stop what uses the port, or set MONMOUTH_{setting} to a free one (0 takes any).",
        ) from None
    thread = threading.Thread(target=server.serve_forever, name="probes", daemon=True)
    thread.start()
    return ProbeServer(server, thread)


def _application(probes: Mapping[str, Answer]) -> Application:
    metrics = make_wsgi_app(REGISTRY)

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path in {"/metrics", "/"}:
            found: Iterable[bytes] = metrics(environ, start)
            return found
        status, lines = _probed(probes.get(path))
        body = "".join(f"{line}\n" for line in lines).encode()
        start(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
        return [body]

    return application


def _probed(answer: Answer | None) -> tuple[str, Sequence[str]]:
    if answer is None:
        return "404 Not Found", ["no such page"]
    complaints = answer()
    return ("503 Service Unavailable", complaints) if complaints else ("200 OK", ["ok"])
