"""Who may command: keys and grants of each agent, as the commands themselves have set them, and the check of every command.

Keys of local state: ``a`` + agent (20), the AgentAccess record in wire form. Invariants:
  * what stands is a function of the commands of the agent's partition in log order: no clock, no setting but the policy;
  * a command counts only with a signature that its policy asks for (``Authority``); one that was written by another agent
    counts only under a grant that stood when the gateway, whose signature it carries, wrote it;
  * of two statements about a key, or about one grant, the later one stands, and none comes back by being sent again.
Commands lie outside blocks, so no reorg takes any of this back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from schemas.codec import codec
from schemas.records import AgentAccess, Grant, MemoryCommand, StandingGrant
from streams import topics
from streams.agents.base import Emit, LocalState, Record
from streams.agents.expiry import says_expired
from streams.errors import PoisonError
from streams.identity import bls, commands
from streams.identity.binding import SIGNATURE_BYTES, Place, signer_of
from streams.signing import Signer, Verifier, row_holds, signed_row

Policy = Literal["open", "gateway", "signed"]
RIGHTS = frozenset({"read", "write"})
MAX_GRANTS = 1_024
MAX_NAMESPACE = 64
"""Characters, as of any tag."""
BY_ACCOUNT = SIGNATURE_BYTES + bls.SIGNATURE_BYTES
"""Bytes of a proof that the account gives: its signature, then the proof of possession; else that proof alone."""


@dataclass(frozen=True, slots=True)
class Authority:
    """What is asked of a command. ``open``: nothing, for logs that only this installation can write; ``gateway``: the signature
    of a trusted gateway or of the agent; ``signed``: of the agent, but for the close of a session whose time is over, which a
    trusted gateway may sign too. ``signer``: stands behind what is published of the outcome.
    """

    policy: Policy = "open"
    gateways: Verifier = field(default_factory=lambda: Verifier(()))
    place: Place = field(default_factory=lambda: Place("monmouth", None))
    signer: Signer | None = None


def nothing_granted(agent: bytes) -> AgentAccess:
    """An agent that never said anything."""
    return {"agent": agent, "public_key": None, "since": None, "grants": [], "signature": None}


def live_grants(access: AgentAccess, grantee: bytes, right: str, now: int) -> list[StandingGrant]:
    """Grants of ``right`` to ``grantee`` that have not ended."""
    return [
        grant
        for grant in access["grants"]
        if grant["grantee"] == grantee and right in grant["rights"] and (grant["until"] is None or now < grant["until"])
    ]


class Access:
    """Keys and grants of one partition, in ``state``."""

    def __init__(self, state: LocalState, authority: Authority) -> None:
        self._state = state
        self._authority = authority

    def of(self, agent: bytes) -> AgentAccess:
        """What stands for ``agent``."""
        wire = self._state.get(b"a" + agent)
        return nothing_granted(agent) if wire is None else codec().decode(wire)[1]

    def forget(self, agent: bytes) -> Emit:
        """Takes back all that was ever set for ``agent``."""
        self._state.delete(b"a" + agent)
        return Emit(topics.ACCESS, agent, "AgentAccess", None)

    def take(self, records: Sequence[Record]) -> tuple[list[Record], list[Emit]]:
        """Records that may go on, and what the others changed. Raises PoisonError for a command that does not count."""
        others: list[Record] = []
        changed: dict[bytes, AgentAccess] = {}
        for record in records:
            if record.type != "MemoryCommand":
                others.append(record)
                continue
            command: MemoryCommand = record.value
            access = self.of(command["agent"])
            check(self._authority, access, command, record.raw)
            if command["op"] not in CHANGES:
                others.append(record)
                continue
            if record.key != command["agent"]:
                raise PoisonError(
                    "a command must have its agent as the record key", "Write it with the agent's 20 bytes as the key."
                )
            access = CHANGES[command["op"]](self._authority, access, command, record.raw)
            self._state.put(b"a" + command["agent"], codec().encode("AgentAccess", access))
            changed[command["agent"]] = access
        return others, [published(self._authority, row) for row in changed.values()]


def published(authority: Authority, access: AgentAccess) -> Emit:
    """The row of agents.access, signed if the authority has a signer."""
    return Emit(topics.ACCESS, access["agent"], "AgentAccess", signed_row("AgentAccess", access, authority.signer))


def vouched_for(access: AgentAccess, trusted: Verifier) -> bool:
    """Whether a worker that is trusted wrote it."""
    return row_holds("AgentAccess", access, trusted)


def check(authority: Authority, access: AgentAccess, command: MemoryCommand, raw: bytes) -> None:
    """Whether somebody who may stands behind ``command``. Raises PoisonError."""
    if authority.policy == "open" or proves_itself(command):
        return
    author, agent = command["author"], command["agent"]
    signature = command["signature"]
    if signature is None:
        raise PoisonError("nobody signed the command", "Send it through a gateway, or sign it with the agent's registered key.")
    foreign = author not in (None, agent)
    if len(signature) == bls.SIGNATURE_BYTES and not foreign:
        if access["public_key"] is None or not commands.by_agent(access["public_key"], command, raw):
            raise PoisonError("the command is not signed by the agent's key", "Register the key, or sign with the new one.")
        _demand_claim(command)
        return
    by_any_gateway = authority.policy == "gateway" or says_expired(command)
    if not by_any_gateway or not commands.by_gateway(authority.gateways, command, raw):
        raise PoisonError("the command's signature is by nobody who may give it", "Is the gateway's key a trusted one here?")
    in_session = command["op"] == "STORE" and command["session"] is not None
    if foreign and not in_session:  # who stores in a session, its own rules say
        assert author is not None
        _check_grant(access, author, command)


def _demand_claim(command: MemoryCommand) -> None:
    """What an agent itself imports stays its claim: that a memory was one of this log, a gateway alone can say."""
    memory = command["memory"]
    if command["op"] == "IMPORT" and memory is not None and memory["imported_from"] is None:
        raise PoisonError("IMPORT: imported_from is not set", "Set it to a digest of the file the memory comes from.")


def _check_grant(access: AgentAccess, author: bytes, command: MemoryCommand) -> None:
    if command["op"] != "STORE":
        raise PoisonError(f"{command['op']} is the agent's own to say", "A grant lets others read and store, and no more.")
    granted = {grant["namespace"] for grant in live_grants(access, author, "write", command["timestamp"])}
    if "" not in granted and not (command["tags"] and granted.issuperset(command["tags"])):
        raise PoisonError("its author has no grant to store this", "The agent can GRANT write, for each tag that it carries.")


def proves_itself(command: MemoryCommand) -> bool:
    """Whether what a key statement brings along must decide, and not the policy."""
    return command["op"] == "REGISTER_KEY" or (command["op"] == "REVOKE" and command["grant"] is None)


def registered(authority: Authority, access: AgentAccess, command: MemoryCommand, raw: bytes = b"") -> AgentAccess:
    """What stands after a REGISTER_KEY. Raises PoisonError."""
    key, proof = command["public_key"] or b"", command["proof"] or b""
    if not bls.verify_possession(key, proof[-bls.SIGNATURE_BYTES :]):
        raise PoisonError("REGISTER_KEY: whoever asks does not hold the key", "Give its 48 bytes and its proof of possession.")
    if len(proof) == BY_ACCOUNT:
        text = authority.place.registration(command["agent"], key, command["timestamp"])
        allowed = signer_of(text, proof[:SIGNATURE_BYTES]) == command["agent"]
    else:
        allowed = len(proof) == bls.SIGNATURE_BYTES and _by_current_key(access, command, raw)
    if not allowed:
        raise PoisonError("REGISTER_KEY: neither the agent's account nor its present key allows it", "Sign with either.")
    if (access["public_key"], access["since"]) == (key, command["timestamp"]):
        return access  # sent again
    _demand_newer(access["since"], command)
    return {**access, "public_key": key, "since": command["timestamp"]}


def revoked(authority: Authority, access: AgentAccess, command: MemoryCommand, raw: bytes = b"") -> AgentAccess:
    """What stands after a REVOKE: of the key, or of a grant. Raises PoisonError."""
    if command["grant"] is not None:
        return _stated(access, {**command["grant"], "rights": [], "until": None}, command)
    text = authority.place.revocation(command["agent"], command["timestamp"])
    by_account = signer_of(text, command["proof"] or b"") == command["agent"]
    own = command["author"] in (None, command["agent"])
    by_operator = own and authority.policy == "gateway" and commands.by_gateway(authority.gateways, command, raw)
    if not (by_account or by_operator or _by_current_key(access, command, raw)):
        raise PoisonError("REVOKE: neither the agent's account, nor its key, nor a gateway says so", "Sign with one of them.")
    if (access["public_key"], access["since"]) == (None, command["timestamp"]):
        return access  # sent again
    _demand_newer(access["since"], command)
    return {**access, "public_key": None, "since": command["timestamp"]}


def granted(_: Authority, access: AgentAccess, command: MemoryCommand, __: bytes = b"") -> AgentAccess:
    """What stands after a GRANT. Raises PoisonError."""
    grant = command["grant"]
    if grant is None:
        raise PoisonError("GRANT names no grant", "Say who may do what, and where.")
    if not grant["rights"] or not RIGHTS.issuperset(grant["rights"]):
        raise PoisonError(f"GRANT: rights are some of {', '.join(sorted(RIGHTS))}")
    if len(grant["namespace"]) > MAX_NAMESPACE:
        raise PoisonError(f"GRANT: a namespace longer than {MAX_NAMESPACE} characters")
    if grant["grantee"] == command["agent"]:
        raise PoisonError("GRANT: an agent needs no grant of its own")
    return _stated(access, grant, command)


def _stated(access: AgentAccess, grant: Grant, command: MemoryCommand) -> AgentAccess:
    """What stands after a statement about one grantee and namespace. Raises PoisonError."""
    said: StandingGrant = {**grant, "rights": sorted(set(grant["rights"])), "since": command["timestamp"]}
    others = {_name(kept): kept for kept in access["grants"]}
    before = others.pop(_name(said), None)
    if before == said:
        return access  # sent again
    _demand_newer(before and before["since"], command)
    if len(others) >= MAX_GRANTS:
        raise PoisonError(f"{command['op']}: the agent has spoken of {MAX_GRANTS} grants", "Use one tag for several.")
    return {**access, "grants": sorted([*others.values(), said], key=_name)}


def _name(grant: StandingGrant) -> tuple[bytes, str]:
    return grant["grantee"], grant["namespace"]


def _by_current_key(access: AgentAccess, command: MemoryCommand, raw: bytes) -> bool:
    return access["public_key"] is not None and commands.by_agent(access["public_key"], command, raw)


def _demand_newer(since: int | None, command: MemoryCommand) -> None:
    if since is not None and command["timestamp"] <= since:
        raise PoisonError(f"{command['op']}: a later word about it stands", "Was it sent before, or is a clock wrong?")


CHANGES = {"REGISTER_KEY": registered, "REVOKE": revoked, "GRANT": granted}
