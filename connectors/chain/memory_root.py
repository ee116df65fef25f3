"""An agent's memory root on the chain: the contract that holds it, the calls that set it, and a read that is proved.

The contract (``memory_root.evm``) keeps the root in storage slot 0x10. Either the agent's own account delegates to one shared
copy (EIP-7702) and holds the slot itself, or a copy made for the agent is deployed at an address of its own.
Assumes trust in a block hash. Invariant: ``prove_anchor`` returns a root only if the block's state holds it in that slot, of
an account whose code is this contract for this very agent: so nobody but the agent can have written it while that code stood.
An account keeps its storage when it changes its delegation, which nobody but the agent can sign either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connectors.chain.convert import data
from connectors.chain.jsonrpc import JsonRpc
from connectors.chain.state_proof import Account, checked_header, proof_nodes, prove_account, prove_slot
from connectors.chain.trie import keccak
from schemas.records import HeaderRecord
from streams.core.block import BlockRef
from streams.errors import Category, MonmouthError, Severity, SourceError

SLOT = 0x10
SET_ROOT = bytes.fromhex("01dbd1a0")
READ_ROOT = bytes.fromhex("c4a13659")
_HEAD = bytes.fromhex(
    "36600557005b60003560e01c806301dbd1a01460305763c4a13659146024575b600080fd5b60105460005260206000f35b36602418601f5733"
)
_TAIL = bytes.fromhex("18601f5760043560105500")
_ADDRESS, _PUSH20 = b"\x30", b"\x73"
SHARED_CODE = _HEAD + _ADDRESS + _TAIL
"""Runtime code that accounts delegate to: only the account itself may set its root."""
DELEGATION = b"\xef\x01\x00"


class NotAnchoredError(MonmouthError):
    """The chain holds no root of this agent there, and proves it."""

    category = Category.EXTERNAL
    severity = Severity.MEDIUM


@dataclass(frozen=True, slots=True)
class Anchor:
    """A proved root. ``holder``: the account whose slot it is; ``block``: whose state was read."""

    agent: bytes
    holder: bytes
    root: bytes
    block: BlockRef


def owned_code(agent: bytes) -> bytes:
    """Runtime code of a copy that is deployed for one agent."""
    return _HEAD + _PUSH20 + agent + _TAIL


def init_code(runtime: bytes) -> bytes:
    """What a creating transaction carries to deploy ``runtime``."""
    copy = b"\x61" + len(runtime).to_bytes(2, "big") + bytes.fromhex("80600c6000396000f3")
    return copy + runtime


def set_root_call(root: bytes) -> bytes:
    """Calldata that anchors ``root``; the agent sends it to the holder (to itself, if it delegates)."""
    if len(root) != 32:
        raise ValueError(f"a root has 32 bytes, not {len(root)}")
    return SET_ROOT + root


def delegate_of(code: bytes) -> bytes | None:
    """The address that an account of this code delegates to, if it does."""
    return code[3:] if code[:3] == DELEGATION and len(code) == 23 else None


def prove_anchor(  # noqa: PLR0917
    agent: bytes,
    holder: bytes,
    block: BlockRef,
    header: HeaderRecord,
    proof: dict[str, Any],
    delegate: bytes | None = None,
    delegate_proof: dict[str, Any] | None = None,
) -> Anchor:
    """The root in slot 0x10 of ``holder``, from eth_getProof answers about it and, if it delegates, about its ``delegate``.

    Raises SourceError if a proof does not hold, NotAnchoredError if it shows that there is no root of this agent.
    """
    account = _account(header["state_root"], holder, proof)
    if account is None:
        raise NotAnchoredError(f"there is no account {holder.hex()} in block {block}")
    if delegate is not None:
        _demand_delegation(agent, holder, account, delegate)
        shared = _account(header["state_root"], delegate, delegate_proof or {})
        if shared is None or shared.code_hash != keccak(SHARED_CODE):
            raise NotAnchoredError(f"agent {agent.hex()} delegates to {delegate.hex()}, which is not the memory root contract")
    elif account.code_hash != keccak(owned_code(agent)):
        raise NotAnchoredError(
            f"account {holder.hex()} is not the memory root contract of agent {agent.hex()}",
            "Name the contract deployed for this agent, or let its account delegate to the shared one.",
        )
    root = prove_slot(account.storage_root, SLOT, _slot_proof(proof))
    if not any(root):
        raise NotAnchoredError(f"agent {agent.hex()} has anchored no memory root up to block {block}")
    return Anchor(agent, holder, root, block)


def _demand_delegation(agent: bytes, holder: bytes, account: Account, delegate: bytes) -> None:
    if holder != agent:
        raise NotAnchoredError(f"account {holder.hex()} delegates its code, and is not agent {agent.hex()}")
    if account.code_hash != keccak(DELEGATION + delegate):
        raise SourceError(f"account {holder.hex()} does not delegate to {delegate.hex()}, as the node says")


def _account(state_root: bytes, address: bytes, proof: dict[str, Any]) -> Account | None:
    return prove_account(state_root, address, proof_nodes(proof.get("accountProof")))


def _slot_proof(proof: dict[str, Any]) -> list[bytes]:
    try:
        (slot,) = proof["storageProof"]
        return proof_nodes(slot["proof"])
    except (KeyError, TypeError, ValueError):
        raise SourceError("the node sent no proof of the slot") from None


async def read_anchor(rpc: JsonRpc, agent: bytes, *, contract: bytes | None = None, block: str = "latest") -> Anchor:
    """The root that ``agent`` anchored, as of ``block`` (a tag, a number, or the hash you trust), proved against its header.

    ``contract``: the copy deployed for it; None if its own account delegates. Raises SourceError, NotAnchoredError.
    """
    is_hash = len(block) == 66
    method = "eth_getBlockByHash" if is_hash else "eth_getBlockByNumber"
    answer = await rpc.call(method, block, False)
    ref, header = checked_header(answer, data(block) if is_hash else None)
    place = {"blockHash": "0x" + ref.hash.hex()}
    holder = contract or agent
    delegate = delegate_of(_bytes(await rpc.call("eth_getCode", _hex(holder), place)))
    proof = await _get_proof(rpc, holder, [_hex(SLOT.to_bytes(32, "big"))], place)
    delegate_proof = None if delegate is None else await _get_proof(rpc, delegate, [], place)
    return prove_anchor(agent, holder, ref, header, proof, delegate, delegate_proof)


async def _get_proof(rpc: JsonRpc, address: bytes, slots: list[str], place: dict[str, str]) -> dict[str, Any]:
    answer = await rpc.call("eth_getProof", _hex(address), slots, place)
    if not isinstance(answer, dict):
        raise SourceError(f"{rpc.name} sent something that is no proof: {str(answer)[:80]}")
    return answer


def _bytes(answer: Any) -> bytes:
    try:
        return data(answer)
    except (TypeError, ValueError):
        raise SourceError(f"the node sent something that is no code: {str(answer)[:80]}") from None


def _hex(value: bytes) -> str:
    return "0x" + value.hex()
