"""Our registry behind the gateway's application, in this process."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

import httpx

from streams.serving.app import create_app
from streams.serving.registry.shape import MEDIA_TYPE, PREFIX
from tests.identity import OPERATOR_TOKEN, bearer
from tests.registry_peer.calls import Ask, drive
from tests.unit.serving.world import World


async def answers() -> dict[str, dict[str, Any]]:
    """What a fresh one answers to all calls."""
    world = World()
    transport = httpx.ASGITransport(create_app(world.services))
    loop = asyncio.get_running_loop()
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=bearer(OPERATOR_TOKEN)) as http:

        def ask(method: str, path: str, body: Any) -> tuple[int, Any]:
            answer = asyncio.run_coroutine_threadsafe(http.request(method, PREFIX + path, json=body), loop).result(20)
            return answer.status_code, answer.json()

        try:
            return await asyncio.to_thread(drive, ask)
        finally:
            world.close()


def over_http(url: str) -> Ask:
    """Asks a registry elsewhere."""

    def ask(method: str, path: str, body: Any) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url + path, data=data, method=method, headers={"content-type": MEDIA_TYPE})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    return ask
