"""The statements that are prepared, by name. Writes name their time, which is a stamp (see ``stamps``), never a clock."""

# ruff: noqa: S608  (all parts are constants)
from __future__ import annotations

from connectors.stores.cassandra.schema import TABLES

_IN = "agent = ? AND bucket = ?"
_ROW = f"{_IN} AND id = ?"

READS = {
    "rows": f"SELECT id, wire, facts, changed FROM memories WHERE {_IN} AND id IN ?",
    "presences": f"SELECT id, facts FROM memories WHERE {_IN}",
    "listed": (
        f"SELECT at, id, type, amendment, importance FROM listings "
        f"WHERE {_IN} AND listing = ? AND (at, id) < (?, ?) AND (at, id) >= (?, ?) LIMIT ?"
    ),
    "ahead": f"SELECT at FROM listings WHERE {_IN} AND listing = 'time' AND at > ? LIMIT 1",
    "edges": f"SELECT id FROM edges WHERE {_IN} AND end IN ?",
    "statements": f"SELECT start, id FROM statements WHERE {_IN} AND said = ? AND (start, id) > (?, ?) LIMIT ?",
    "turn": f"SELECT at FROM turns WHERE {_IN} AND at > ? LIMIT 1",
    "blocks": f"SELECT number, hash FROM blocks WHERE {_IN} AND number >= ?",
    "changes": f"SELECT stamp, id FROM changes WHERE {_IN} AND stamp > ? AND stamp <= ? LIMIT ?",
    "gone": f"SELECT stamp, id, gone FROM changes WHERE {_IN}",
    "head": "SELECT epoch, stamp, removed FROM heads WHERE agent = ?",
    "agents": "SELECT agent FROM agents WHERE shard = ? AND agent > ? LIMIT ?",
    "owner": "SELECT owner FROM lanes WHERE lane = ? LIMIT 1",
    "owners": "SELECT owner, done FROM lanes WHERE lane = ? LIMIT ?",
    "token": "SELECT number FROM meta WHERE name = 'token'",
}

WRITES = {
    "put_memory": f"UPDATE memories USING TIMESTAMP ? SET wire = ?, facts = facts + ?, changed = ? WHERE {_ROW}",
    "add_facts": f"UPDATE memories USING TIMESTAMP ? SET facts = facts + ?, changed = ? WHERE {_ROW}",
    "take_facts": f"UPDATE memories USING TIMESTAMP ? SET facts = facts - ? WHERE {_ROW}",
    "drop_wire": f"DELETE wire FROM memories USING TIMESTAMP ? WHERE {_ROW}",
    "put_changed": f"UPDATE memories USING TIMESTAMP ? SET changed = ? WHERE {_ROW}",
    "drop_changed": f"DELETE changed FROM memories USING TIMESTAMP ? WHERE {_ROW}",
    "put_listing": (
        "INSERT INTO listings (listing, at, type, amendment, importance, agent, bucket, id) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ?"
    ),
    "drop_listing": f"DELETE FROM listings USING TIMESTAMP ? WHERE listing = ? AND at = ? AND {_ROW}",
    "put_edge": "INSERT INTO edges (end, agent, bucket, id) VALUES (?, ?, ?, ?) USING TIMESTAMP ?",
    "drop_edge": f"DELETE FROM edges USING TIMESTAMP ? WHERE end = ? AND {_ROW}",
    "put_statement": "INSERT INTO statements (said, start, agent, bucket, id) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?",
    "drop_statement": f"DELETE FROM statements USING TIMESTAMP ? WHERE said = ? AND start = ? AND {_ROW}",
    "put_turn": "INSERT INTO turns (at, agent, bucket, id) VALUES (?, ?, ?, ?) USING TIMESTAMP ?",
    "drop_turn": f"DELETE FROM turns USING TIMESTAMP ? WHERE at = ? AND {_ROW}",
    "put_block": "INSERT INTO blocks (number, hash, agent, bucket, id) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?",
    "drop_block": f"DELETE FROM blocks USING TIMESTAMP ? WHERE number = ? AND hash = ? AND {_ROW}",
    "put_change": "INSERT INTO changes (stamp, gone, agent, bucket, id) VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?",
    "drop_change": f"DELETE FROM changes USING TIMESTAMP ? WHERE stamp = ? AND {_IN}",
    "put_head": "UPDATE heads USING TIMESTAMP ? SET epoch = ?, stamp = ?, removed = ? WHERE agent = ?",
    "put_agent": "INSERT INTO agents (shard, agent) VALUES (?, ?) USING TIMESTAMP ?",
    "drop_agent": "DELETE FROM agents USING TIMESTAMP ? WHERE shard = ? AND agent = ?",
    "take_lane": "INSERT INTO lanes (lane, owner) VALUES (?, ?) USING TIMESTAMP ?",
    "put_done": "UPDATE lanes USING TIMESTAMP ? SET done = ? WHERE lane = ? AND owner = ?",
    "forget_owners": "DELETE FROM lanes USING TIMESTAMP ? WHERE lane = ? AND owner < ?",
    "draw_token": "UPDATE meta SET number = ? WHERE name = 'token' IF number = ?",
    **{f"clear_{table}": f"DELETE FROM {table} USING TIMESTAMP ? WHERE {_IN}" for table in TABLES},
}
