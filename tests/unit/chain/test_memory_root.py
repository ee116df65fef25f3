"""Roots proved from state tries: what is shown is believed, and everything else is refused."""

from __future__ import annotations

from typing import Any

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st
from trie.hexary import HexaryTrie

from connectors.chain import memory_root
from connectors.chain.memory_root import (
    SHARED_CODE,
    SLOT,
    Anchor,
    NotAnchoredError,
    delegate_of,
    init_code,
    owned_code,
    prove_anchor,
    set_root_call,
)
from connectors.chain.state_proof import MAX_NODES, checked_header, proof_nodes, prove_account, prove_slot
from connectors.chain.trie import EMPTY_ROOT, keccak
from connectors.chain.verify import uint
from schemas.records import HeaderRecord
from streams.core.block import BlockRef
from streams.errors import SourceError
from tests.chains import child
from tests.conftest import ROOT
from tests.evm_assembly import assemble

SOURCE = (ROOT / "connectors" / "chain" / "memory_root.evm").read_text()
AGENT, SHARED, OWN = b"\xaa" * 20, b"\x5c" * 20, b"\x0c" * 20
MEMORY_ROOT = bytes(range(32))
DELEGATED = b"\xef\x01\x00" + SHARED


def test_committed_code_is_what_the_source_assembles_to() -> None:
    assert assemble(SOURCE, "ADDRESS") == SHARED_CODE
    assert assemble(SOURCE, "PUSH20 0x" + AGENT.hex()) == owned_code(AGENT)
    assert (
        assemble(SOURCE.replace("PUSH1 0x10\n            SSTORE", "PUSH1 0x11\n            SSTORE"), "ADDRESS") != SHARED_CODE
    )


def test_selectors_are_those_of_the_signatures() -> None:
    assert set_root_call(MEMORY_ROOT) == keccak(b"setMemoryRoot(bytes32)")[:4] + MEMORY_ROOT
    assert keccak(b"memoryRoot()")[:4] == memory_root.READ_ROOT
    assert memory_root.SET_ROOT in SHARED_CODE
    assert memory_root.READ_ROOT in SHARED_CODE
    with pytest.raises(ValueError, match="32 bytes"):
        set_root_call(b"\1")


def test_init_code_copies_the_runtime_code_behind_it() -> None:
    code = init_code(SHARED_CODE)
    assert code[12:] == SHARED_CODE
    assert int.from_bytes(code[1:3], "big") == len(SHARED_CODE)


def test_delegations() -> None:
    assert delegate_of(DELEGATED) == SHARED
    assert delegate_of(DELEGATED + b"\0") is None
    assert delegate_of(b"") is None


class State:
    """A small state: accounts with code and slots, and the proofs a node would give of them."""

    def __init__(self, accounts: dict[bytes, tuple[bytes, dict[int, bytes]]]) -> None:
        self._storage: dict[bytes, HexaryTrie] = {}
        self._accounts = HexaryTrie({})
        for n in range(40):  # others, so that paths have some length
            self._accounts[keccak(bytes([n]) * 20)] = rlp.encode([uint(n), uint(n), EMPTY_ROOT, keccak(b"")])
        for address, (code, slots) in accounts.items():
            storage = self._storage[address] = HexaryTrie({})
            for slot, value in slots.items():
                storage[keccak(slot.to_bytes(32, "big"))] = rlp.encode(value.lstrip(b"\0"))
            self._accounts[keccak(address)] = rlp.encode([b"\1", uint(10**18), storage.root_hash, keccak(code)])

    @property
    def root(self) -> bytes:
        return bytes(self._accounts.root_hash)

    def block(self) -> tuple[BlockRef, HeaderRecord]:
        made = child(None)
        return made.ref, {**made.header, "state_root": self.root}

    def proof(self, address: bytes, slot: int = SLOT) -> dict[str, Any]:
        storage = self._storage.get(address)
        nodes = () if storage is None else storage.get_proof(keccak(slot.to_bytes(32, "big")))
        return {
            "accountProof": [_hex(node) for node in self._accounts.get_proof(keccak(address))],
            "storageProof": [{"key": hex(slot), "value": "0xbad", "proof": [_hex(node) for node in nodes]}],
        }

    def anchor(self, holder: bytes = AGENT, delegate: bytes | None = SHARED, agent: bytes = AGENT, slot: int = SLOT) -> Anchor:
        about_delegate = None if delegate is None else self.proof(delegate)
        return prove_anchor(agent, holder, *self.block(), self.proof(holder, slot), delegate, about_delegate)


def _hex(node: Any) -> str:
    return "0x" + rlp.encode(node).hex()


SLOTS = {SLOT: MEMORY_ROOT, **{n: bytes([n]) * 32 for n in range(1, 9)}}
GOOD = State({AGENT: (DELEGATED, SLOTS), SHARED: (SHARED_CODE, {}), OWN: (owned_code(AGENT), SLOTS)})


def test_a_root_is_proved_of_a_delegated_account_and_of_a_contract() -> None:
    assert GOOD.anchor().root == MEMORY_ROOT
    assert GOOD.anchor(holder=OWN, delegate=None) == Anchor(AGENT, OWN, MEMORY_ROOT, GOOD.block()[0])


@pytest.mark.parametrize(
    ("state", "how", "says"),
    [
        (State({}), {}, "no account"),
        (State({AGENT: (DELEGATED, {}), SHARED: (SHARED_CODE, {})}), {}, "anchored no memory root"),
        (State({AGENT: (DELEGATED, {1: MEMORY_ROOT}), SHARED: (SHARED_CODE, {})}), {}, "anchored no memory root"),
        (State({AGENT: (DELEGATED, SLOTS), SHARED: (SHARED_CODE + b"\0", {})}), {}, "not the memory root contract"),
        (State({AGENT: (DELEGATED, SLOTS)}), {}, "not the memory root contract"),
        (State({AGENT: (b"", SLOTS)}), {"delegate": None}, "not the memory root contract"),
        (GOOD, {"holder": OWN, "delegate": None, "agent": SHARED}, "not the memory root contract"),
        (GOOD, {"holder": AGENT, "agent": SHARED}, "is not agent"),
        (State({OWN: (SHARED_CODE, SLOTS)}), {"holder": OWN, "delegate": None}, "not the memory root contract"),
    ],
)
def test_what_is_proved_and_is_no_anchor(state: State, how: dict[str, Any], says: str) -> None:
    with pytest.raises(NotAnchoredError, match=says):
        state.anchor(**how)


def test_another_slot_another_account_and_another_state_are_refused() -> None:
    ref, header = GOOD.block()
    shared = GOOD.proof(SHARED)
    with pytest.raises(SourceError, match="does not lead"):
        GOOD.anchor(slot=3)
    with pytest.raises(SourceError, match="does not lead"):
        prove_anchor(AGENT, AGENT, ref, header, GOOD.proof(OWN), SHARED, shared)
    other = State({AGENT: (DELEGATED, {SLOT: b"\7" * 32}), SHARED: (SHARED_CODE, {})})
    with pytest.raises(SourceError, match="does not lead"):
        prove_anchor(AGENT, AGENT, ref, header, other.proof(AGENT), SHARED, shared)
    mixed = {**GOOD.proof(AGENT), "storageProof": other.proof(AGENT)["storageProof"]}
    with pytest.raises(SourceError, match="does not lead"):
        prove_anchor(AGENT, AGENT, ref, header, mixed, SHARED, shared)
    with pytest.raises(SourceError, match="does not delegate to"):
        prove_anchor(AGENT, AGENT, ref, header, GOOD.proof(AGENT), OWN, shared)


@pytest.mark.parametrize("proof", [{}, {"accountProof": 7}, {"accountProof": ["zz"]}, {"accountProof": ["0x"]}])
def test_what_is_no_proof_is_refused(proof: dict[str, Any]) -> None:
    with pytest.raises(SourceError):
        prove_anchor(AGENT, AGENT, *GOOD.block(), proof, SHARED, GOOD.proof(SHARED))
    whole = GOOD.proof(AGENT)
    for storage in (None, [], [{}], [{"proof": 1}], whole["storageProof"] * 2):
        with pytest.raises(SourceError):
            prove_anchor(AGENT, AGENT, *GOOD.block(), {**whole, "storageProof": storage}, SHARED, GOOD.proof(SHARED))


def test_proofs_are_bounded() -> None:
    with pytest.raises(SourceError, match="no proof is that large"):
        proof_nodes(["0xc0"] * (MAX_NODES + 1))
    with pytest.raises(SourceError, match="no proof is that large"):
        proof_nodes(["0x" + "00" * 2000])


@given(st.data())
def test_a_proof_that_was_touched_proves_nothing_else(data: st.DataObject) -> None:
    """Flip, cut, drop or swap bytes and nodes: the account is refused, or it is the very same."""
    nodes = proof_nodes(GOOD.proof(AGENT)["accountProof"])
    good = prove_account(GOOD.root, AGENT, nodes)
    index = data.draw(st.integers(0, len(nodes) - 1))
    how = data.draw(st.sampled_from(["flip", "cut", "drop", "swap", "add"]))
    if how == "flip":
        place, bit = data.draw(st.integers(0, len(nodes[index]) - 1)), data.draw(st.integers(0, 7))
        nodes[index] = nodes[index][:place] + bytes([nodes[index][place] ^ 1 << bit]) + nodes[index][place + 1 :]
    elif how == "cut":
        nodes[index] = nodes[index][: data.draw(st.integers(0, len(nodes[index]) - 1))]
    elif how == "drop":
        del nodes[index]
    elif how == "swap":
        nodes[index] = data.draw(st.binary(max_size=40))
    else:
        nodes.insert(index, rlp.encode(data.draw(st.lists(st.binary(max_size=33), max_size=17))))
    try:
        found = prove_account(GOOD.root, AGENT, nodes)
    except SourceError:
        return
    assert found == good


def test_values_that_are_no_account_and_no_word() -> None:
    trie = HexaryTrie({})
    trie[keccak(AGENT)] = rlp.encode([b"\1", b"\1", b"short", keccak(b"")])
    trie[keccak(OWN)] = b"\xff\xff"
    trie[keccak((7).to_bytes(32, "big"))] = rlp.encode(b"\1" * 33)
    trie[keccak((8).to_bytes(32, "big"))] = rlp.encode([b"\1"])

    def nodes(key: bytes) -> list[bytes]:
        return [rlp.encode(node) for node in trie.get_proof(keccak(key))]

    for address in (AGENT, OWN):
        with pytest.raises(SourceError, match="is no account"):
            prove_account(trie.root_hash, address, nodes(address))
    for slot in (7, 8):
        with pytest.raises(SourceError, match="is no word"):
            prove_slot(trie.root_hash, slot, nodes(slot.to_bytes(32, "big")))
    assert prove_account(trie.root_hash, SHARED, nodes(SHARED)) is None
    assert prove_slot(EMPTY_ROOT, 7, []) == bytes(32)


def test_a_header_that_does_not_hash_to_the_block_is_refused() -> None:
    with pytest.raises(SourceError, match="no such block"):
        checked_header(None)
    with pytest.raises(SourceError, match="is no block"):
        checked_header({})
