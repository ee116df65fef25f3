"""The dashboard as a stream: a snapshot for whoever joins, then what has changed, to all viewers alike.

Invariants:
  * a frame follows the one before it by ``PAUSE`` at least, and the change that it tells by no more than that;
  * what a viewer knows after its snapshot and all frames is what the newest snapshot says;
  * at most ``MOST`` viewers are there; each holds ``WAITING`` frames at most, and one that does not take them is let go;
  * while nobody looks, nothing is worked out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Literal

import orjson

from streams.serving.faults import RateLimitedError, UnavailableError
from streams.serving.ops import metrics
from streams.serving.ops.dashboard import Dashboard
from streams.serving.ops.sections import SHOWN_SECONDS, all_series

PAUSE = 0.25
HEARTBEAT = 1.0
"""Seconds without a change after which a frame says that there is none, so that viewers can tell quiet from gone."""
MOST = 32
WAITING = 16
WAITERS = 16
"""Connections that have not said yet whose they are."""
SERIES_SENT = 5
"""Points of a series in a frame: those of the last seconds, of which a viewer may have some."""
UNCOMPARED = ("at_ms",)

Ended = Literal["slow", "ending"]


class Viewer:
    """One connection. ``ended``: why there will be no more frames."""

    def __init__(self) -> None:
        self.ended: Ended | None = None
        self._frames: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING)

    def put(self, frame: bytes) -> bool:
        """False if there is no room: it is let go."""
        try:
            self._frames.put_nowait(frame)
        except asyncio.QueueFull:
            self.end("slow")
            return False
        return True

    def end(self, why: Ended) -> None:
        """No more frames: those that wait are dropped."""
        self.ended = why
        while not self._frames.empty():
            self._frames.get_nowait()
        self._frames.put_nowait(None)

    async def frame(self) -> bytes | None:
        """The next one; None when it has ended."""
        return await self._frames.get()


class Live:
    """All viewers of one gateway. ``run`` it while the gateway serves."""

    def __init__(self, dashboard: Dashboard, changed: Callable[[int], Awaitable[None]], pause: float = PAUSE) -> None:
        """``changed``: returns once the board's version is beyond the one given."""
        self._dashboard = dashboard
        self._changed = changed
        self._pause = pause
        self._viewers: set[Viewer] = set()
        self._joined = asyncio.Event()
        self._said: dict[str, bytes] = {}
        self._second = 0
        self._number = 0
        self._waiting = 0
        self._stopping = False

    @property
    def crowded(self) -> bool:
        """Whether nobody more may even say who they are."""
        return len(self._viewers) + self._waiting >= MOST + WAITERS

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Somebody says who they are."""
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    @property
    def viewers(self) -> int:
        """Connections that are open now."""
        return len(self._viewers)

    def join(self) -> Viewer:
        """A viewer, with a snapshot as its first frame. Raises RateLimitedError, UnavailableError."""
        if self._stopping:
            raise UnavailableError("the gateway is ending", "Connect again in a moment.")
        if len(self._viewers) >= MOST:
            raise RateLimitedError(f"{MOST} dashboards are open", "Close one.", retry_after=5)
        self._delta()  # what the others know, this one will know too
        viewer = Viewer()
        state = self._dashboard.state().model_dump(mode="json")
        viewer.put(_frame("snapshot", self._number, state["at_ms"], state=state))
        self._viewers.add(viewer)
        metrics.VIEWERS.set(len(self._viewers))
        self._joined.set()
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Safe to call twice."""
        self._viewers.discard(viewer)
        metrics.VIEWERS.set(len(self._viewers))

    def stop(self) -> None:
        """Ends every viewer."""
        self._stopping = True
        for viewer in list(self._viewers):
            viewer.end("ending")

    async def run(self) -> None:
        """Until cancelled."""
        quiet = False
        while True:
            if not self._viewers:
                self._joined.clear()
                await self._joined.wait()
            version = self._dashboard.board.version
            if not self._delta() and quiet:
                self._tell({"sections": {}})
            await asyncio.sleep(self._pause)
            try:
                await asyncio.wait_for(self._changed(version), HEARTBEAT)
                quiet = False
            except TimeoutError:
                quiet = True

    def _delta(self) -> bool:
        """Tells all viewers what is not as it was told; whether there was anything."""
        state = self._dashboard.moment().model_dump(mode="json", exclude={"series"})
        at_ms = state.pop("at_ms")
        changed: dict[str, Any] = {}
        for name, section in state.items():
            compared = {key: value for key, value in section.items() if key not in UNCOMPARED} if _is_map(section) else section
            said = orjson.dumps(compared)
            if self._said.get(name) != said:
                self._said[name] = said
                changed[name] = section
        frame: dict[str, Any] = {"sections": changed}
        if at_ms // 1000 != self._second:
            self._second = at_ms // 1000
            if self._viewers:
                frame["series"] = self._points()
        if not (changed or "series" in frame):
            return False
        self._tell(frame)
        return True

    def _tell(self, frame: dict[str, Any]) -> None:
        if not self._viewers:
            return
        self._number += 1
        sent = _frame("delta", self._number, self._dashboard.board.now_ms, **frame)
        for viewer in list(self._viewers):
            if not viewer.put(sent):
                metrics.VIEWERS_DROPPED.inc()
                self.leave(viewer)

    def _points(self) -> list[dict[str, Any]]:
        found = []
        for series in all_series(self._dashboard.board):
            view = series.model_dump(mode="json")
            sent = view["values"][-SERIES_SENT:]
            view["start"] += view["step"] * (len(view["values"]) - len(sent))
            found.append({**view, "values": sent, "kept": SHOWN_SECONDS})
        return found


def _is_map(section: Any) -> bool:
    return isinstance(section, dict)


def _frame(kind: str, number: int, at_ms: int, **more: Any) -> bytes:
    return orjson.dumps({"type": kind, "number": number, "at_ms": at_ms, **more})
