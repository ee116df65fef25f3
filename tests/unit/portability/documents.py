"""Documents of other products, with the fields and the nesting that their own exports have."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from tests.unit.portability.samples import AGENT

WHEN = "2025-10-31T22:56:57.459100+00:00"


def wrapped(said: str, kind: str = "user_message") -> str:
    """As Letta keeps what a user said, and what happened."""
    return json.dumps({"type": kind, "message": said, "time": "2025-10-31 10:56:57 PM UTC+0000"})


def message(number: int, role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {
        "type": "message", "role": role, "content": content, "name": None, "otid": None, "sender_id": None, "group_id": None,
        "id": f"message-{number}", "model": "gpt-4o-mini", "agent_id": "agent-0", "tool_calls": None, "tool_call_id": None,
        "tool_returns": [], "created_at": WHEN, "approve": None, "approvals": [], **more,
    }  # fmt: skip


def texts(*parts: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": part, "signature": None} for part in parts]


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"id": "call_1", "function": {"arguments": json.dumps(arguments), "name": name}, "type": "function"}


OUTCOME = json.dumps({"status": "OK", "message": "None", "time": "2025-10-31 10:56:59 PM UTC+0000"})
BLOCKS: list[dict[str, Any]] = [
    {"value": "\nName: Chad, likes sailing\n", "limit": 20000, "project_id": None, "is_template": False, "label": "human",
     "read_only": False, "description": "about", "metadata": {}, "hidden": None, "id": "block-0"},
    {"value": "I am Sam.", "limit": 20000, "label": "persona", "metadata": {}, "id": "block-1"},
    {"value": "of another agent", "limit": 20000, "label": "foreign", "metadata": {}, "id": "block-9"},
]  # fmt: skip
MESSAGES = [
    message(0, "system", texts("<base_instructions>\nYou are a helpful agent.\n</base_instructions>")),
    message(1, "user", texts(wrapped("More human than human is our motto.", "login"))),
    message(2, "assistant", texts("They logged in. I greet them."), tool_calls=[call("send_message", message="Hello Chad")]),
    message(3, "tool", texts(OUTCOME), name="send_message", tool_call_id="call_1",
            tool_returns=[{"status": "success", "stdout": None, "stderr": None, "func_response": "None"}]),
    message(4, "user", texts(wrapped("Hi, I moved to Berlin"))),
    message(5, "assistant", texts("I should keep that."), tool_calls=[call("core_memory_append", label="human", content="x")]),
    message(6, "tool", texts(OUTCOME), name="core_memory_append", tool_call_id="call_1"),
    message(7, "user", texts(wrapped("[automated] returning control", "heartbeat"))),
    message(8, "assistant", [{"type": "tool_call", "id": "c", "name": "send_message", "input": {"message": "Noted, Berlin"}}]),
    message(9, "assistant", "A plain answer"),
    message(10, "user", [{"type": "image", "source": {}}, *texts('{"a": "user may say JSON"}')]),
]  # fmt: skip
SAID = {
    "Hello Chad",
    "Hi, I moved to Berlin",
    "I should keep that.",
    "Noted, Berlin",
    "A plain answer",
    '{"a": "user may say JSON"}',
}
"""What users and the agent said in ``MESSAGES``; a text beside another tool than send_message was said to the user too."""
KNOWN = {"Name: Chad, likes sailing", "I am Sam."}


def letta_agent(number: int, blocks: list[str], messages: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": f"memgpt_agent_{number}", "memory_blocks": [], "tools": [], "tool_ids": ["tool-0"], "source_ids": [],
        "block_ids": blocks, "tool_rules": [], "tags": [], "system": "<base_instructions>", "agent_type": "letta_v1_agent",
        "llm_config": {"model": "gpt-4o-mini", "context_window": 32000, "temperature": 0.7}, "id": f"agent-{number}",
        "in_context_message_ids": ["message-0"], "messages": messages, "files_agents": [], "group_ids": [],
    }  # fmt: skip


TOOLS = [{"id": "tool-0", "name": "conversation_search", "json_schema": {"parameters": {"properties": {"query": {}}}}}]
NEWER: dict[str, Any] = {
    "agents": [letta_agent(0, ["block-0", "block-1"], MESSAGES)], "groups": [], "blocks": BLOCKS, "files": [], "sources": [],
    "tools": TOOLS, "mcp_servers": [], "metadata": {"revision_id": "1"}, "created_at": WHEN,
}  # fmt: skip
SEVERAL: dict[str, Any] = {
    **NEWER,
    "agents": [
        letta_agent(0, ["block-0"], MESSAGES[:3]),
        letta_agent(1, ["block-9"], [message(20, "user", texts(wrapped("to the other")))]),
    ],
}
OLDER: dict[str, Any] = {
    "agent_type": "memgpt_agent", "core_memory": BLOCKS[:2], "messages": MESSAGES, "tools": TOOLS, "version": "0.7.8",
    "name": "memgpt_agent_0", "llm_config": {}, "embedding_config": {}, "in_context_message_indices": [0],
}  # fmt: skip
MEM0: dict[str, Any] = {
    "results": [
        {"id": "a1", "memory": "Likes cricket", "hash": "h", "metadata": {"team": "blue"}, "user_id": "alice", "score": 0.3,
         "created_at": "2025-01-02T03:04:05.123456-07:00", "updated_at": None, "categories": ["sports"]},
        {"id": "a2", "memory": "", "created_at": None},
    ]
}  # fmt: skip
_METADATA = {"source_chain": "monmouth", "export_reason": None, "compression": "gzip", "encryption": None}
WRITTEN: dict[str, Any] = {
    "agent_id": "0x" + AGENT.hex(), "export_timestamp": {"secs_since_epoch": 1_700_000_100, "nanos_since_epoch": 123_456_789},
    "format_version": "1.0.0", "memory_count": 2,
    "memories": [
        {"id": "1", "memory_type": "LongTerm", "content": b64encode(b"swapped").decode(), "embedding": [0.1, -0.25],
         "timestamp": 100, "importance": 0.75, "access_count": 3},
        {"id": "2", "memory_type": "Episodic", "content": b64encode(b"\xff\x00").decode(), "embedding": None,
         "timestamp": 0, "importance": 1.0, "access_count": 0},
    ],
    "metadata": _METADATA,
}  # fmt: skip
"""What the reference design's code writes."""
DESCRIBED: dict[str, Any] = {
    "version": "1.0.0", "agent_id": "0x" + AGENT.hex(), "timestamp": 1_700_000_100, "memory_count": 2,
    "memories": [
        {"id": "1", "content": b64encode(b"swapped").decode(), "memory_type": "LongTerm", "embedding": [0.1],
         "age_seconds": 100, "importance": 0.75},
        {"id": "2", "content": b64encode(b"\xff\x00").decode(), "memory_type": "Episodic", "age_seconds": 0, "importance": 1.0},
    ],
    "metadata": _METADATA,
}  # fmt: skip
"""What its description says."""
DOCUMENTS = {
    "letta": NEWER, "letta, several": SEVERAL, "letta, older": OLDER, "mem0": MEM0, "reference": WRITTEN,
    "reference, described": DESCRIBED,
}  # fmt: skip
