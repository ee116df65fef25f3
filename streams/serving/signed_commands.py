"""Commands that agents sign themselves, on their way into the log.

Assumes the signature was found to be the agent's own. Invariants: one is taken if the memory agent will carry it out, by the
rules that hold for who asks the gateway to write it; one about a session or an erasure is of now, as the gateway's own are, so
that none is kept to be used later. An ERASE does not go to the log alone: with it begins what the gateway has to do about it.
"""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING

from schemas.codec import codec
from schemas.defaults import plain_command
from schemas.records import MemoryCommand
from streams.agents.access import CHANGES
from streams.agents.memory_facts import command_facts
from streams.core.ids import command_memory_id
from streams.errors import PoisonError
from streams.serving.addresses import to_hex
from streams.serving.faults import BadRequestError
from streams.serving.session_rules import concerns_session, foreseen
from streams.serving.wire import Receipt

if TYPE_CHECKING:
    from streams.serving.services import Services

CLOCK_SECONDS = 600
"""How far a statement's time may lie from ours: a key set in the future could not be replaced before."""


async def sent(served: Services, command: MemoryCommand) -> Receipt:
    """Writes the command as the agent signed it. Raises BadRequestError, NotFoundError, UnavailableError, TooLargeError."""
    agent, done = command["agent"], False
    if command["op"] == "ERASE":
        _demand_plain(command)
        demand_recent(command["timestamp"])
        done = await served.eraser.erase(agent, 0.0, command) is not None
    else:
        await _demand_sound(served, command)
        await served.commands.send_raw(agent, command["id"], codec().encode("MemoryCommand", command))
    memory_id = command_memory_id(agent, command["id"])
    return Receipt(command_id=str(uuid.UUID(bytes=command["id"])), memory_id=to_hex(memory_id), visible=done)


async def _demand_sound(served: Services, command: MemoryCommand) -> None:
    if concerns_session(command):
        demand_recent(command["timestamp"])
        foreseen(await served.sessions.fresh(command["agent"]), command, int(time.time()))
    if command["op"] not in CHANGES and not command["op"].startswith("SESSION_"):
        try:
            command_facts(command["agent"], command)
        except PoisonError as error:
            raise BadRequestError(error.message) from None


def _demand_plain(command: MemoryCommand) -> None:
    """What else it said would be sealed, with a key that is gone when the log is read again, and so would hide the ERASE."""
    if {**command, "signature": None} != plain_command(command["id"], command["agent"], "ERASE", command["timestamp"]):
        raise BadRequestError("an ERASE says nothing more than whose it is", "Leave every other field at its default.")


def demand_recent(issued: int) -> None:
    """Raises BadRequestError for a time that is not about now."""
    if abs(issued - time.time()) > CLOCK_SECONDS:
        raise BadRequestError(f"the time {issued} is more than {CLOCK_SECONDS} s from the gateway's clock", "Sign it anew.")
