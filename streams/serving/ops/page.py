"""The files of the dashboard's page, which come with the program.

Invariant: each is named here, so that none is served, and open to anybody, by lying in the folder.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NamedTuple

KINDS = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
FOLDER = "page"
NAMES = {
    "/dashboard": "index.html",
    "/dashboard/app.js": "app.js",
    "/dashboard/charts.js": "charts.js",
    "/dashboard/connection.js": "connection.js",
    "/dashboard/dom.js": "dom.js",
    "/dashboard/format.js": "format.js",
    "/dashboard/map.js": "map.js",
    "/dashboard/panels.js": "panels.js",
    "/dashboard/style.css": "style.css",
    "/dashboard/icon.svg": "icon.svg",
}
"""By path."""
PAGE = frozenset(NAMES)


class PageFile(NamedTuple):
    """What is sent."""

    content: bytes
    media_type: str


@cache
def page_file(path: str) -> PageFile:
    """The file at a path of ``NAMES``."""
    name = NAMES[path]
    return PageFile((files("streams.serving") / FOLDER / name).read_bytes(), KINDS[name.rpartition(".")[2]])
