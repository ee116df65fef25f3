"""Keys, tokens, grants, and commands that agents sign themselves.

Invariants: nothing here tells whether an agent exists to anybody but that agent; what is acknowledged is what the memory agent
will find valid too; failures are counted by address, so keys and challenges cannot be tried at will.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated

from blake3 import blake3
from fastapi import APIRouter, Query, Request

from schemas.codec import SchemaError, codec
from schemas.defaults import plain_command
from schemas.records import AgentAccess, Grant, MemoryCommand
from streams.agents.access import CHANGES, check, granted, proves_itself, revoked
from streams.errors import PoisonError
from streams.identity import bls
from streams.identity.tokens import CHALLENGE_SECONDS, TOKEN_SECONDS
from streams.serving.access import Doorkeeping
from streams.serving.addresses import parse_agent, to_hex
from streams.serving.faults import BadRequestError, ForbiddenError, UnauthenticatedError
from streams.serving.services import AgentParam, Served, Services
from streams.serving.signed_commands import demand_recent, sent
from streams.serving.wire import Receipt
from streams.serving.wire.access import (
    AccessReceipt,
    Challenge,
    ChallengeRequest,
    GrantList,
    GrantRequest,
    GrantView,
    KeyRequest,
    KeyView,
    Token,
    TokenRequest,
)

router = APIRouter(prefix="/v1", tags=["access"])

POLL_SECONDS = 0.05
WaitParam = Annotated[float, Query(ge=0, le=30, description="Seconds to wait until it counts.")]

GranteeParam = Annotated[str, Query(description="The other agent's address.", max_length=42)]
NamespaceParam = Annotated[str, Query(max_length=64, description="The tag that was granted; empty: everything.")]


@router.post("/auth/challenge", operation_id="challenge")
async def challenge(wanted: ChallengeRequest, served: Served) -> Challenge:
    """What an agent signs to get a token. Given for any address."""
    tokens, place = served.doors.tokens, served.doors.authority.place
    text = tokens.challenge(parse_agent(wanted.agent))
    return Challenge(challenge=text, installation=place.installation, chain_id=place.chain_id, seconds=CHALLENGE_SECONDS)


@router.post("/auth/token", operation_id="token")
async def token(wanted: TokenRequest, served: Served, request: Request) -> Token:
    """A token for a challenge that the agent's registered key has signed, once and in time."""
    doors, agent, signature = served.doors, parse_agent(wanted.agent), _hex(wanted.signature, bls.SIGNATURE_BYTES)
    address = _address(request)
    doors.attempts.demand(address)
    access = await doors.table.fresh(agent)
    host = request.url.hostname or ""
    given = await asyncio.to_thread(doors.tokens.redeem, agent, access, wanted.challenge, host, signature)
    if given is None:
        doors.attempts.failed(address)
        raise UnauthenticatedError("no registered key of that agent signed this challenge in time", "Ask for a new challenge.")
    return Token(token=given, seconds=TOKEN_SECONDS)


@router.post("/auth/keys", operation_id="register_key", status_code=202)
async def register_key(wanted: KeyRequest, served: Served, request: Request) -> AccessReceipt:
    """Registers, or replaces, the key of an agent. The account of the agent must have signed it: no token is needed."""
    agent, key = parse_agent(wanted.agent), _hex(wanted.public_key, bls.PUBLIC_BYTES)
    demand_recent(wanted.issued)
    command: MemoryCommand = {
        **plain_command(_named(agent, key, wanted.issued), agent, "REGISTER_KEY", wanted.issued),
        "public_key": key,
        "proof": _hex(wanted.account_signature, 65) + _hex(wanted.possession, bls.SIGNATURE_BYTES),
    }
    await _demand_valid(served.doors, command, b"", request)
    return await _said(served, command, lambda access: (access["since"] or 0) >= wanted.issued, wanted.wait)


@router.post("/commands", operation_id="command", status_code=202)
async def command(request: Request, served: Served) -> Receipt:
    """A command in wire form, as the agent signed it: its signature is all it needs. The log holds it sealed as any other."""
    raw = await request.body()
    try:
        name, read = codec().decode(raw)
    except SchemaError as error:
        raise BadRequestError(f"the body is no record: {str(error)[:200]}", "Send a MemoryCommand in wire form.") from None
    if name != "MemoryCommand" or (read["signature"] is None and not proves_itself(read)):
        raise BadRequestError(f"the body is no signed command but a {name}", "Sign a MemoryCommand with the agent's key.")
    if len(read["signature"] or bytes(bls.SIGNATURE_BYTES)) != bls.SIGNATURE_BYTES:
        raise BadRequestError("the signature is not an agent's")
    if not codec().is_current("MemoryCommand", raw):  # it could not be sealed without its signature losing its hold
        raise BadRequestError("the record is of another version than this gateway writes", "Use the gateway's own version.")
    await _demand_valid(served.doors, read, raw, request)
    return await sent(served, read)


@router.get("/agents/{agent}/key", operation_id="key")
async def key(agent: AgentParam, served: Served) -> KeyView:
    """The key that speaks for the agent."""
    access = await served.doors.table.fresh(agent)
    public = access["public_key"]
    return KeyView(agent=to_hex(agent), public_key=public and to_hex(public), since=access["since"])


@router.delete("/agents/{agent}/key", operation_id="revoke_key", status_code=202)
async def revoke_key(agent: AgentParam, served: Served, wait: WaitParam = 0) -> AccessReceipt:
    """Revokes the agent's key, and with it every token given for it. The account can register another one."""
    access = await served.doors.table.fresh(agent)
    now = _after(access["since"])
    said = plain_command(uuid.uuid4().bytes, agent, "REVOKE", now)
    return await _said(served, said, lambda found: (found["since"] or 0) >= now, wait)


@router.get("/agents/{agent}/grants", operation_id="grants")
async def grants(agent: AgentParam, served: Served) -> GrantList:
    """What the agent lets others do."""
    access = await served.doors.table.fresh(agent)
    now = int(time.time())
    standing = [g for g in access["grants"] if g["rights"] and (g["until"] is None or now < g["until"])]
    return GrantList(
        agent=to_hex(agent),
        items=[GrantView.model_validate({**g, "grantee": to_hex(g["grantee"])}) for g in standing],
    )


@router.post("/agents/{agent}/grants", operation_id="grant", status_code=202)
async def grant(agent: AgentParam, wanted: GrantRequest, served: Served) -> AccessReceipt:
    """Lets another agent read memories, or store them, or both: all, or those with one tag. Takes the place of what was said
    before about the same two.
    """
    given: Grant = {
        "grantee": parse_agent(wanted.grantee),
        "rights": sorted(set(wanted.rights)),
        "namespace": wanted.namespace,
        "until": wanted.until,
    }
    return await _granting(served, agent, "GRANT", given, wanted.wait)


@router.delete("/agents/{agent}/grants", operation_id="revoke_grant", status_code=202)
async def revoke_grant(
    agent: AgentParam, served: Served, grantee: GranteeParam, namespace: NamespaceParam = "", wait: WaitParam = 0
) -> AccessReceipt:
    """Takes back what was granted to another agent about one tag, or about everything."""
    taken: Grant = {"grantee": parse_agent(grantee), "rights": [], "namespace": namespace, "until": None}
    return await _granting(served, agent, "REVOKE", taken, wait)


async def _granting(served: Services, agent: bytes, op: str, said: Grant, wait: float) -> AccessReceipt:
    access = await served.doors.table.fresh(agent)
    name = (said["grantee"], said["namespace"])
    now = _after(next((g["since"] for g in access["grants"] if (g["grantee"], g["namespace"]) == name), None))
    plain = plain_command(uuid.uuid4().bytes, agent, "GRANT" if op == "GRANT" else "REVOKE", now)
    sent: MemoryCommand = {**plain, "grant": said}
    try:
        (granted if op == "GRANT" else revoked)(served.doors.authority, access, sent)
    except PoisonError as error:
        raise BadRequestError(error.message.removeprefix(f"{op}: "), error.hint) from None

    def shows(found: AgentAccess) -> bool:
        return any((g["grantee"], g["namespace"], g["since"]) == (*name, now) for g in found["grants"])

    return await _said(served, sent, shows, wait)


async def _demand_valid(doors: Doorkeeping, command: MemoryCommand, raw: bytes, request: Request) -> None:
    """Refuses what the memory agent would not find valid. Raises ForbiddenError, RateLimitedError."""
    address = _address(request)
    doors.attempts.demand(address)
    access = await doors.table.fresh(command["agent"])
    try:
        await asyncio.to_thread(_judge, doors, access, command, raw)
    except PoisonError as error:
        doors.attempts.failed(address)
        raise ForbiddenError(error.message, error.hint) from None


def _judge(doors: Doorkeeping, access: AgentAccess, command: MemoryCommand, raw: bytes) -> None:
    """As strictly as can be, whatever the installation asks of its own: anybody may send here."""
    authority = replace(doors.authority, policy="signed")
    check(authority, access, command, raw)
    if command["op"] in CHANGES:
        demand_recent(command["timestamp"])
        CHANGES[command["op"]](authority, access, command, raw)


async def _said(served: Services, command: MemoryCommand, shows: Callable[[AgentAccess], bool], wait: float) -> AccessReceipt:
    await served.commands.send(command)
    visible, deadline = shows(await served.doors.table.fresh(command["agent"])), time.monotonic() + wait
    while not visible and time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        visible = shows(await served.doors.table.fresh(command["agent"]))
    return AccessReceipt(command_id=str(uuid.UUID(bytes=command["id"])), visible=visible)


def _after(since: int | None) -> int:
    """Now, or right after what was said last, in the same second too."""
    return max(int(time.time()), (since or 0) + 1)


def _named(agent: bytes, key: bytes, issued: int) -> bytes:
    """The command's id: the same for the same registration, sent again."""
    return blake3(agent + key + issued.to_bytes(8, "big")).digest(16)


def _hex(text: str, size: int) -> bytes:
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    if len(digits) != 2 * size:
        raise BadRequestError(f"{size} bytes in hex were expected, {len(digits) // 2} given")
    return bytes.fromhex(digits)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
