"""Requests to an application in this process, without a client library's share of the time; all that comes back is seen."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered. ``headers``: as they came, as one text."""

    where: str
    status: int
    headers: str
    text: str

    def json(self) -> Any:
        """The body."""
        return json.loads(self.text)


class Door:
    """Where requests are made."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def request(self, method: str, path: str, token: str, body: Any = None) -> Answer:
        """One request of whoever holds ``token``."""
        content = b"" if body is None else json.dumps(body).encode()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [
                (b"host", b"127.0.0.1"),
                (b"content-type", b"application/json"),
                (b"content-length", str(len(content)).encode()),
                (b"authorization", b"Bearer " + token.encode()),
            ],
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 0),
        }
        waiting: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]
        start: Message = {"status": 0, "headers": []}
        parts: list[bytes] = []

        async def receive() -> Message:
            return waiting.pop() if waiting else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            else:
                parts.append(message.get("body", b""))

        await self._app(scope, receive, send)
        headers = b"; ".join(name + b": " + value for name, value in start["headers"]).decode("latin-1")
        text = b"".join(parts).decode()
        return Answer(f"{method} {path} {start['status']}", start["status"], headers, text)
