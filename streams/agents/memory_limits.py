"""What a memory may hold, and what each command must say: limits that the memory agent and the gateway share.

Each function returns what is wrong in words, or an empty text. Invariants: whether a command is refused depends on it alone;
what is said of it repeats nothing that is sealed in the log, since it stands beside the dead letter in the clear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

from schemas.records import CommandOp, EdgeKind, MemoryCommand, MemoryEdge
from streams.core.ids import command_memory_id
from streams.core.structured import wrong_structure

MAX_CONTENT = 65_536
MAX_TAGS = 32
MAX_TAG = 64
MAX_MEDIA_TYPE = 128
MAX_EDGES = 64
MAX_RELATION = 64
MAX_STATEMENT = 256
MAX_TIMESTAMP = 253_402_300_799
"""Last second of the year 9999."""
MIN_VALID = -62_135_596_800
"""First second of the year 1: what is remembered may have been true before 1970."""
ID = 32

EDGES_OF: Mapping[CommandOp, frozenset[EdgeKind]] = {
    "STORE": frozenset({"LINK"}),
    "LINK": frozenset({"LINK"}),
    "INVALIDATE": frozenset({"INVALIDATES"}),
    "SUPERSEDE": frozenset({"SUPERSEDES", "LINK"}),
    "MERGE": frozenset({"MERGES", "LINK"}),
}
"""Kinds of edges a command may hold."""
DEMANDED: Mapping[CommandOp, EdgeKind] = {
    "LINK": "LINK",
    "INVALIDATE": "INVALIDATES",
    "SUPERSEDE": "SUPERSEDES",
    "MERGE": "MERGES",
}
"""The kind of which a command must hold at least one."""
AMENDING: frozenset[CommandOp] = frozenset({"LINK", "INVALIDATE"})
"""Commands that leave an amendment: content, if any, is the reason."""


def wrong_command(command: MemoryCommand) -> str:
    """Of a command that leaves a memory or an amendment."""
    return _wrong_head(command) or _wrong_content(command) or _wrong_validity(command) or _wrong_edges(command)


def _wrong_head(command: MemoryCommand) -> str:
    if command["type"] is None and command["op"] not in AMENDING:
        return "no memory type"
    if command["memory_id"] not in (None, command_memory_id(command["agent"], command["id"])):
        return "memory_id is not the id this command leads to"
    if not (isfinite(command["importance"]) and 0 <= command["importance"] <= 1):
        return f"importance {command['importance']} is not from 0 to 1"
    if not 0 <= command["timestamp"] <= MAX_TIMESTAMP:
        return f"timestamp {command['timestamp']} is not in unix seconds"
    return ""


def _wrong_content(command: MemoryCommand) -> str:
    if not 0 < len(command["media_type"]) <= MAX_MEDIA_TYPE:
        return f"a media type that is empty or longer than {MAX_MEDIA_TYPE} characters"
    if command["media_type"].startswith("text/") and not is_text(command["content"]):
        return "content is not UTF-8, as its media type says it is"
    if command["op"] not in AMENDING and (wrong := wrong_structure(command["content"], command["media_type"])):
        return wrong
    return wrong_labels(command["tags"], command["content"], least=0 if command["op"] in AMENDING else 1)


def wrong_labels(tags: Sequence[str], content: bytes, least: int = 1) -> str:
    """Of tags and content; ``least``: fewest bytes."""
    if not least <= len(content) <= MAX_CONTENT:
        return f"content of {len(content)} bytes; {least} to {MAX_CONTENT} are allowed"
    if len(tags) > MAX_TAGS:
        return f"{len(tags)} tags; at most {MAX_TAGS} are allowed"
    if not all(0 < len(tag) <= MAX_TAG for tag in tags):
        return f"a tag that is empty or longer than {MAX_TAG} characters"
    return ""


def is_text(content: bytes) -> bool:
    """Whether it is UTF-8."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _wrong_validity(command: MemoryCommand) -> str:
    said = (command["subject"], command["predicate"])
    if (said[0] is None) != (said[1] is None):
        return "a subject without a predicate, or the other way round"
    if not all(0 < len(part) <= MAX_STATEMENT for part in said if part is not None):
        return f"a subject or predicate that is empty or longer than {MAX_STATEMENT} characters"
    times = (command["valid_from"], command["valid_to"])
    if not all(MIN_VALID <= time <= MAX_TIMESTAMP for time in times if time is not None):
        return "valid_from or valid_to is not in unix seconds"
    start = command["timestamp"] if times[0] is None else times[0]
    if times[1] is not None and times[1] <= start:
        return "valid_to is not after the time from which it is true"
    return ""


def _wrong_edges(command: MemoryCommand) -> str:
    edges, op = command["edges"], command["op"]
    if len(edges) > MAX_EDGES:
        return f"{len(edges)} edges; at most {MAX_EDGES} are allowed"
    wanted = DEMANDED.get(op)
    if wanted is not None and all(edge["kind"] != wanted for edge in edges):
        return f"names no memory: it needs an edge of kind {wanted}"
    own = command_memory_id(command["agent"], command["id"])
    for edge in edges:
        wrong = wrong_edge(edge, EDGES_OF[op], own)
        if wrong:
            return wrong
    if len({(edge["kind"], edge["source"], edge["target"], edge["relation"]) for edge in edges}) < len(edges):
        return "the same edge twice"
    return ""


def wrong_edge(edge: MemoryEdge, kinds: frozenset[EdgeKind], own: bytes) -> str:
    """Of one edge of memory ``own``."""
    if edge["kind"] not in kinds:
        return f"an edge of kind {edge['kind']}, which has a command of its own"
    ends = [end for end in (edge["source"], edge["target"]) if end is not None]
    if not all(len(end) == ID for end in ends):
        return f"an edge from or to an id that has not {ID} bytes"
    if own in ends or len(set(ends)) < len(ends):
        return "an edge from a memory to itself"
    if not (isfinite(edge["strength"]) and 0 <= edge["strength"] <= 1):
        return "a strength that is not from 0 to 1"
    if len(edge["relation"]) > MAX_RELATION:
        return f"a relation longer than {MAX_RELATION} characters"
    if edge["kind"] != "LINK":
        if edge["source"] is not None or edge["relation"]:
            return "only a LINK starts elsewhere or has a relation"
        if edge["until"] is not None and not MIN_VALID <= edge["until"] <= MAX_TIMESTAMP:
            return "until is not in unix seconds"
    elif edge["until"] is not None:
        return "a LINK ends nothing: it has no until"
    return ""
