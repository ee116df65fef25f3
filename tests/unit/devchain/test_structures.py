"""Hashes, roots, signatures, blooms and fees recomputed from the JSON alone, without the code that made them.

The second opinion on hashes is pycryptodome's keccak, on roots py-trie, on signatures libsecp256k1's recovery.
"""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import rlp
from coincurve import PublicKey
from Crypto.Hash import keccak as crypto_keccak
from trie.hexary import HexaryTrie

from connectors.chain.devchain import CanonicalBlock, DevChain, canonical
from connectors.chain.devchain.contracts import contract_address

HEADER = (
    "parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom", "difficulty", "number",
    "gasLimit", "gasUsed", "timestamp", "extraData", "mixHash", "nonce", "baseFeePerGas", "withdrawalsRoot", "blobGasUsed",
    "excessBlobGas", "parentBeaconBlockRoot", "requestsHash",
)  # fmt: skip
QUANTITIES = {
    "difficulty", "number", "gasLimit", "gasUsed", "timestamp", "baseFeePerGas", "blobGasUsed", "excessBlobGas",
}  # fmt: skip


def keccak(data: bytes) -> bytes:
    return crypto_keccak.new(digest_bits=256, data=data).digest()


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def number(text: str) -> int:
    return int(text, 16)


def header_rlp(block: dict[str, Any]) -> bytes:
    return rlp.encode([number(block[key]) if key in QUANTITIES else raw(block[key]) for key in HEADER])


def signed(tx: dict[str, Any]) -> tuple[bytes, bytes, int]:
    """Digest that was signed, raw transaction, parity."""
    r, s, v = number(tx["r"]), number(tx["s"]), number(tx["v"])
    call = [number(tx["gas"]), raw(tx["to"]), number(tx["value"]), raw(tx["input"])]
    chain_id, nonce = number(tx["chainId"]), number(tx["nonce"])
    if tx["type"] == "0x0":
        fields = [nonce, number(tx["gasPrice"]), *call]
        return keccak(rlp.encode([*fields, chain_id, 0, 0])), rlp.encode([*fields, v, r, s]), v - 35 - 2 * chain_id
    fields = [chain_id, nonce, number(tx["maxPriorityFeePerGas"]), number(tx["maxFeePerGas"]), *call, []]
    return keccak(b"\2" + rlp.encode(fields)), b"\2" + rlp.encode([*fields, v, r, s]), v


def receipt_rlp(receipt: dict[str, Any]) -> bytes:
    logs = [[raw(log["address"]), [raw(topic) for topic in log["topics"]], raw(log["data"])] for log in receipt["logs"]]
    body = [number(receipt["status"]), number(receipt["cumulativeGasUsed"]), raw(receipt["logsBloom"]), logs]
    return (b"" if receipt["type"] == "0x0" else b"\2") + rlp.encode(body)


def bloom(logs: list[dict[str, Any]]) -> bytes:
    bits = 0
    for item in (raw(text) for log in logs for text in (log["address"], *log["topics"])):
        digest = keccak(item)
        for at in (0, 2, 4):
            bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") % 2048)
    return bits.to_bytes(256, "big")


def root(items: list[bytes]) -> str:
    trie = HexaryTrie({})
    for index, item in enumerate(items):
        trie[rlp.encode(index)] = item
    return "0x" + trie.root_hash.hex()


@pytest.fixture(scope="module")
def blocks(chain: DevChain) -> list[CanonicalBlock]:
    return list(canonical(chain))


def test_header_hashes_and_links(blocks: list[CanonicalBlock]) -> None:
    parent, before = bytes(32), 0
    for height, (ref, block, _) in enumerate(blocks):
        assert keccak(header_rlp(block)) == raw(block["hash"]) == ref.hash
        assert raw(block["parentHash"]) == ref.parent == parent
        assert number(block["number"]) == ref.number == height
        assert number(block["timestamp"]) > before
        parent, before = ref.hash, number(block["timestamp"])


def test_a_changed_field_changes_the_hash(blocks: list[CanonicalBlock]) -> None:
    block = blocks[-1].block
    for key in HEADER:
        flipped = block[key][:-1] + ("1" if block[key][-1] == "0" else "0")
        assert keccak(header_rlp({**block, key: flipped})) != blocks[-1].ref.hash, key


def test_transactions_are_signed_by_their_senders(blocks: list[CanonicalBlock], chain: DevChain) -> None:
    kinds = set()
    for _, block, _ in blocks:
        for tx in block["transactions"]:
            digest, envelope, parity = signed(tx)
            assert parity in (0, 1)
            assert tx.get("yParity", hex(parity)) == hex(parity)
            signature = number(tx["r"]).to_bytes(32, "big") + number(tx["s"]).to_bytes(32, "big") + bytes([parity])
            public = PublicKey.from_signature_and_message(signature, digest, hasher=None).format(compressed=False)
            assert keccak(public[1:])[12:] == raw(tx["from"])
            assert raw(tx["from"]) in chain.agents
            assert keccak(envelope) == raw(tx["hash"])
            kinds.add(tx["type"])
    assert kinds == {"0x0", "0x2"}


def test_roots_blooms_and_gas(blocks: list[CanonicalBlock]) -> None:
    for _, block, receipts in blocks:
        transactions = block["transactions"]
        assert block["transactionsRoot"] == root([signed(tx)[1] for tx in transactions])
        assert block["receiptsRoot"] == root([receipt_rlp(receipt) for receipt in receipts])
        assert raw(block["logsBloom"]) == bloom([log for receipt in receipts for log in receipt["logs"]])
        total = 0
        for receipt in receipts:
            total += number(receipt["gasUsed"])
            assert number(receipt["cumulativeGasUsed"]) == total
            assert raw(receipt["logsBloom"]) == bloom(receipt["logs"])
        assert number(block["gasUsed"]) == total <= number(block["gasLimit"])
        size = len(rlp.encode([rlp.decode(header_rlp(block)), [_body_item(tx) for tx in transactions], [], []]))
        assert number(block["size"]) == size


def _body_item(tx: dict[str, Any]) -> Any:
    envelope = signed(tx)[1]
    return rlp.decode(envelope) if tx["type"] == "0x0" else envelope


def test_base_fee_follows_the_parent(blocks: list[CanonicalBlock]) -> None:
    for (_, parent, _), (_, child, _) in itertools.pairwise(blocks):
        target, used, fee = number(parent["gasLimit"]) // 2, number(parent["gasUsed"]), number(parent["baseFeePerGas"])
        change = fee * abs(used - target) // target // 8
        expected = fee if used == target else fee + max(change, 1) if used > target else fee - change
        assert number(child["baseFeePerGas"]) == expected


def test_gas_is_intrinsic_plus_work_and_prices_are_what_was_paid(blocks: list[CanonicalBlock]) -> None:
    for _, block, receipts in blocks:
        base = number(block["baseFeePerGas"])
        for tx, receipt in zip(block["transactions"], receipts, strict=True):
            data = raw(tx["input"])
            zeros = data.count(0)
            least = 21_000 + max(4 * zeros + 16 * (len(data) - zeros), 10 * (zeros + 4 * (len(data) - zeros)))
            assert least <= number(receipt["gasUsed"]) <= number(tx["gas"])
            assert tx["gasPrice"] == receipt["effectiveGasPrice"]
            if tx["type"] == "0x2":
                assert number(tx["gasPrice"]) == min(number(tx["maxFeePerGas"]), base + number(tx["maxPriorityFeePerGas"]))
            assert number(tx["gasPrice"]) >= base


def test_failures_leave_no_logs(blocks: list[CanonicalBlock]) -> None:
    failed = [receipt for _, _, receipts in blocks for receipt in receipts if receipt["status"] == "0x0"]
    assert failed
    assert all(receipt["logs"] == [] for receipt in failed)
    assert len(failed) < sum(len(receipts) for _, _, receipts in blocks) / 10


def test_the_state_root_is_ethereums_for_plain_accounts(chain: DevChain) -> None:
    """For an account without code the leaf is found under its hashed address, in Ethereum's encoding."""
    world = chain.world(chain.head.hash)
    trie = HexaryTrie({})
    for address in sorted({*world.ledger.balances, *world.ledger.nonces, *world.ledger.slots}):
        plain = address not in world.ledger.slots
        storage = keccak(rlp.encode(b"")) if plain else _storage_root(world.ledger.slots[address])
        code = keccak(b"" if plain else b"\xfe")
        account = [world.ledger.nonce(address), world.ledger.balance(address), storage, code]
        trie[keccak(address)] = rlp.encode(account)
    assert trie.root_hash == chain.head.header.state_root
    assert contract_address("beneficiary") in world.ledger.balances


def _storage_root(slots: dict[bytes, int]) -> bytes:
    return keccak(rlp.encode([[key, slots[key]] for key in sorted(slots)])) if slots else keccak(rlp.encode(b""))
