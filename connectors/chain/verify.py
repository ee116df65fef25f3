"""Whether a block is what its hash says: header hash, transactions root, receipts root, senders.

Encodings: yellow paper appendix B (RLP), EIP-2718 with types 1 (2930), 2 (1559), 3 (4844), 4 (7702); header fields of
EIP-1559, 4895, 4844, 4788 and 7685. Works on the Avro shape of records, so that a reader of the log can check it too.
Invariant: ``check_block`` returns only if every commitment of the level asked for was recomputed and is equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from coincurve import PublicKey

from connectors.chain.rlp import encode
from connectors.chain.trie import keccak, ordered_root
from schemas.records import HeaderRecord
from streams.errors import SourceError
from streams.ports.chain import Block, Transaction

Level = Literal["header", "roots", "senders"]
NEWEST_TYPE = 4


def uint(number: int) -> bytes:
    """Big-endian without leading zeros; zero is empty."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def header_hash(header: HeaderRecord) -> bytes:
    """Keccak-256 of the RLP of the header, with as many optional fields as it has."""
    fields: list[bytes | None] = [
        header["parent_hash"],
        header["ommers_hash"],
        header["beneficiary"],
        header["state_root"],
        header["transactions_root"],
        header["receipts_root"],
        header["logs_bloom"],
        header["difficulty"],
        uint(header["number"]),
        uint(header["gas_limit"]),
        uint(header["gas_used"]),
        uint(header["timestamp"]),
        header["extra_data"],
        header["mix_hash"],
        header["nonce"],
        header["base_fee_per_gas"],
        header["withdrawals_root"],
        None if header["blob_gas_used"] is None else uint(header["blob_gas_used"]),
        None if header["excess_blob_gas"] is None else uint(header["excess_blob_gas"]),
        header["parent_beacon_block_root"],
        header["requests_hash"],
    ]
    return keccak(encode([field for field in fields if field is not None]))


def _access(tx: Transaction) -> list[Any]:
    return [[entry["address"], entry["storage_keys"]] for entry in tx["access_list"]]


def _authorizations(tx: Transaction) -> list[Any]:
    return [
        [a["chain_id"], a["address"], a["nonce"].lstrip(b"\0"), uint(a["y_parity"]), a["r"], a["s"]]
        for a in tx["authorization_list"]
    ]


def payload(tx: Transaction) -> list[Any]:
    """The fields of the transaction up to its signature, ready for RLP. Raises SourceError for an unknown type."""
    kind, nonce, to = tx["type"], tx["nonce"].lstrip(b"\0"), tx["to"] or b""
    call = [uint(tx["gas"]), to, tx["value"], tx["input"]]
    if kind == 0:
        return [nonce, tx["gas_price"], *call]
    chain = uint(tx["tx_chain_id"] or 0)
    if kind == 1:
        return [chain, nonce, tx["gas_price"], *call, _access(tx)]
    fees = [tx["max_priority_fee_per_gas"] or b"", tx["max_fee_per_gas"] or b""]
    dynamic = [chain, nonce, *fees, *call, _access(tx)]
    if kind == 2:
        return dynamic
    if kind == 3:
        return [*dynamic, tx["max_fee_per_blob_gas"] or b"", tx["blob_versioned_hashes"]]
    if kind == NEWEST_TYPE:
        return [*dynamic, _authorizations(tx)]
    raise SourceError(f"transaction type {kind} is not one of 0 to {NEWEST_TYPE}")


def transaction_rlp(tx: Transaction) -> bytes:
    """The EIP-2718 envelope, whose Keccak-256 is the transaction hash."""
    body = encode([*payload(tx), tx["v"], tx["r"], tx["s"]])
    return bytes([tx["type"]]) + body if tx["type"] else body


def receipt_rlp(tx: Transaction) -> bytes:
    """The EIP-2718 envelope of the receipt; the first field is the status, or the state root before Byzantium."""
    status = tx["post_state_root"] if tx["status"] is None else uint(tx["status"])
    logs = [[log["address"], log["topics"], log["data"]] for log in tx["logs"]]
    body = encode([status or b"", uint(tx["cumulative_gas_used"]), tx["logs_bloom"], logs])
    return bytes([tx["type"]]) + body if tx["type"] else body


def signing_hash(tx: Transaction) -> bytes:
    """What the sender signed (EIP-155 for legacy transactions that name a chain)."""
    fields = payload(tx)
    if tx["type"]:
        return keccak(bytes([tx["type"]]) + encode(fields))
    protected = [uint(tx["tx_chain_id"]), b"", b""] if tx["tx_chain_id"] is not None else []
    return keccak(encode([*fields, *protected]))


def recover_sender(tx: Transaction) -> bytes:
    """The address that signed. Raises SourceError if the signature is none."""
    v = int.from_bytes(tx["v"], "big")
    parity = v if tx["type"] else (v - 27 if v in (27, 28) else (v - 35) % 2)
    try:
        signature = tx["r"].rjust(32, b"\0") + tx["s"].rjust(32, b"\0") + bytes([parity])
        public = PublicKey.from_signature_and_message(signature, signing_hash(tx), hasher=None)
    except ValueError as error:
        raise SourceError(f"transaction {tx['hash'].hex()} has no valid signature: {error}") from None
    return keccak(public.format(compressed=False)[1:])[12:]


def contract_address(sender: bytes, nonce: bytes) -> bytes:
    """Where a creating transaction puts its contract."""
    return keccak(encode([sender, nonce.lstrip(b"\0")]))[12:]


def check_header(block: Block) -> None:
    """Raises SourceError if the header does not hash to the name of the block, or names another parent or height."""
    found, header = header_hash(block.header), block.header
    if found != block.ref.hash or header["parent_hash"] != block.ref.parent or header["number"] != block.ref.number:
        raise SourceError(
            f"block {block.ref.number}: the header hashes to {found.hex()}, not to {block.ref.hash.hex()}",
            "The node answers falsely, or its chain has header fields that this version does not know.",
        )


def check_transactions(header: HeaderRecord, transactions: Sequence[Transaction]) -> None:
    """Raises SourceError unless hashes, transactions root, receipts root and gas agree with the header."""
    encoded = [transaction_rlp(tx) for tx in transactions]
    for tx, raw in zip(transactions, encoded, strict=True):
        if keccak(raw) != tx["hash"]:
            raise SourceError(f"block {header['number']}: transaction {tx['index']} does not hash to {tx['hash'].hex()}")
    if ordered_root(encoded) != header["transactions_root"]:
        raise SourceError(f"block {header['number']}: the transactions do not give its transactions root")
    if ordered_root([receipt_rlp(tx) for tx in transactions]) != header["receipts_root"]:
        raise SourceError(f"block {header['number']}: the receipts do not give its receipts root")
    used = 0
    for tx in transactions:
        used += tx["gas_used"]
        if used != tx["cumulative_gas_used"]:
            raise SourceError(f"block {header['number']}: gas used by transaction {tx['index']} does not add up")
    if used != header["gas_used"]:
        raise SourceError(f"block {header['number']}: {used} gas used, the header says {header['gas_used']}")


def check_senders(transactions: Sequence[Transaction]) -> None:
    """Raises SourceError unless each sender signed its transaction and each new contract has the address that follows."""
    for tx in transactions:
        if recover_sender(tx) != tx["sender"]:
            raise SourceError(f"transaction {tx['hash'].hex()} was not signed by {tx['sender'].hex()}")
        if tx["to"] is None and tx["contract_address"] not in (None, contract_address(tx["sender"], tx["nonce"])):
            raise SourceError(f"transaction {tx['hash'].hex()} did not create {tx['contract_address']!r}")


def check_block(block: Block, level: Level) -> None:
    """Raises SourceError if the block fails a check of ``level``; each level holds the ones before it."""
    check_header(block)
    if level != "header":
        check_transactions(block.header, block.transactions)
    if level == "senders":
        check_senders(block.transactions)
