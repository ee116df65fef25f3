"""The close of a session whose time is over: all that a gateway says in an agent's name where agents sign for themselves.

Whoever says it, it is judged by the log alone: it ends a session only if that session, as it stands there, ends at the time the
close names, and the broker took the close no earlier. So a gateway can neither end a session before its time, nor one that was
extended meanwhile, nor choose what becomes of its memories. Invariant: the command follows from agent, session and time, so all
gateways write the same one.
"""

from __future__ import annotations

from blake3 import blake3

from schemas.defaults import plain_command
from schemas.records import MemoryCommand, Session


def expiry_of(session: Session) -> MemoryCommand:
    """The close of ``session`` at its time."""
    return _closing(session["agent"], session["id"], session["expires"])


def says_expired(command: MemoryCommand) -> bool:
    """Whether the command is that close, of some session at some time, and says nothing more; its signature aside."""
    session_id = command["session"]
    if command["op"] != "SESSION_CLOSE" or session_id is None:
        return False
    return {**command, "signature": None} == _closing(command["agent"], session_id, command["timestamp"])


def is_due(command: MemoryCommand, session: Session, appended: int) -> bool:
    """Whether a command that ``says_expired`` is right. ``appended``: when the broker took it, unix seconds; 0: not known."""
    expires = session["expires"]
    return command["timestamp"] == expires and (not appended or appended >= expires)


def _closing(agent: bytes, session_id: bytes, expires: int) -> MemoryCommand:
    name = blake3(b"monmouth/session/expired" + agent + session_id).digest(16)
    return {**plain_command(name, agent, "SESSION_CLOSE", expires), "session": session_id}
