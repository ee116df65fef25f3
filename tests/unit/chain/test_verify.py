"""Real mainnet blocks through conversion, checks that must say no, Avro and back, and RLP and back."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest
import rlp
from trie import HexaryTrie

from connectors.chain import decode
from connectors.chain.convert import header_record, to_block, transaction
from connectors.chain.trie import EMPTY_ROOT, ordered_root
from connectors.chain.verify import check_block, header_hash, receipt_rlp, recover_sender, transaction_rlp
from schemas.codec import codec
from schemas.records import ChainTransaction
from streams.errors import SourceError
from streams.ports.chain import Block
from streams.producer.records import Stager
from streams.signing import Signer
from tests.conftest import DATA

FULL = sorted((DATA / "ethereum" / "mainnet_full").glob("*.json.gz"))
BODIES = sorted((DATA / "ethereum" / "mainnet_blocks").glob("*.json.gz"))


def load(path: Path) -> Any:
    return orjson.loads(gzip.decompress(path.read_bytes()))


def block_of(path: Path) -> Block:
    dump = load(path)
    return to_block(dump["block"], dump["receipts"])


@pytest.mark.parametrize("path", FULL, ids=lambda path: path.name.split(".")[0])
def test_real_blocks_check_at_every_level(path: Path) -> None:
    check_block(block_of(path), "senders")


@pytest.mark.parametrize("path", FULL, ids=lambda path: path.name.split(".")[0])
def test_roots_recomputed_from_the_records_in_the_log(path: Path) -> None:
    block = block_of(path)
    staged = Stager(1, 4, Signer(bytes(32))).new(block, 0, None)
    name, notification = codec().decode(staged.notification)
    assert name == "BlockNotification"
    assert header_hash(notification["header"]) == block.ref.hash
    decoded: list[ChainTransaction] = []
    for part in staged.partitions:
        for _, value in part[:-1]:
            assert codec().name_of(value) == "ChainTransaction"
            decoded.append(codec().decode(value)[1])
    decoded.sort(key=lambda tx: tx["index"])
    assert len(decoded) == len(block.transactions) == notification["transactions"] == notification["records"]
    assert ordered_root([transaction_rlp(tx) for tx in decoded]) == block.header["transactions_root"]
    assert ordered_root([receipt_rlp(tx) for tx in decoded]) == block.header["receipts_root"]
    for tx, original in zip(decoded, block.transactions, strict=True):
        assert {key: tx[key] for key in original} == original


@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.name.split(".")[0])
def test_headers_and_transaction_roots_of_sampled_mainnet_blocks(path: Path) -> None:
    answer = load(path)
    header = header_record(answer)
    assert "0x" + header_hash(header).hex() == answer["hash"]
    receipt = {
        "blockHash": answer["hash"], "status": "0x1", "gasUsed": "0x0", "cumulativeGasUsed": "0x0", "logsBloom": "0x",
        "logs": [], "contractAddress": None,
    }  # fmt: skip
    txs = [transaction(body, {**receipt, "transactionHash": body["hash"]}, 0) for body in answer["transactions"]]
    assert ordered_root([transaction_rlp(tx) for tx in txs]) == header["transactions_root"]
    for tx in txs[:: max(1, len(txs) // 20)]:
        assert recover_sender(tx) == tx["sender"]


@pytest.mark.parametrize("path", FULL, ids=lambda path: path.name.split(".")[0])
def test_rlp_decoding_gives_the_same_block_as_json(path: Path) -> None:
    block = block_of(path)
    bodies = [rlp.decode(raw) if not tx["type"] else raw for tx in block.transactions for raw in [transaction_rlp(tx)]]
    receipts = [rlp.decode(raw) if not tx["type"] else raw for tx in block.transactions for raw in [receipt_rlp(tx)]]
    decoded = decode.block(block.header, bodies, receipts)
    assert decoded.ref == block.ref
    for mine, theirs in zip(decoded.transactions, block.transactions, strict=True):
        assert {**mine, "contract_address": theirs["contract_address"]} == theirs
        assert mine["contract_address"] in (theirs["contract_address"], None) or theirs["contract_address"] is None


def first(transactions: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(tx for tx in transactions if tx["type"] == kind)


def forge_value(dump: dict[str, Any]) -> None:
    first(dump["block"]["transactions"], "0x2")["value"] = "0x1"


def forge_log(dump: dict[str, Any]) -> None:
    next(r for r in dump["receipts"] if r["logs"])["logs"][0]["data"] = "0x00"


def forge_status(dump: dict[str, Any]) -> None:
    dump["receipts"][0]["status"] = "0x0" if dump["receipts"][0]["status"] == "0x1" else "0x1"


def forge_header(dump: dict[str, Any]) -> None:
    dump["block"]["timestamp"] = "0x1"


def forge_parent(dump: dict[str, Any]) -> None:
    dump["block"]["parentHash"] = "0x" + "11" * 32


def forge_bloom(dump: dict[str, Any]) -> None:
    dump["receipts"][0]["logsBloom"] = "0x" + "ff" * 256


def forge_gas(dump: dict[str, Any]) -> None:
    dump["receipts"][0]["gasUsed"] = "0x1"


def forge_hash(dump: dict[str, Any]) -> None:
    fake = "0x" + "22" * 32
    dump["block"]["transactions"][0]["hash"] = dump["receipts"][0]["transactionHash"] = fake
    for log in dump["receipts"][0]["logs"]:
        log["transactionHash"] = fake


def swap_transactions(dump: dict[str, Any]) -> None:
    for items in (dump["block"]["transactions"], dump["receipts"]):
        items[0], items[1] = items[1], items[0]


def other_block(dump: dict[str, Any]) -> None:
    dump["receipts"][0]["blockHash"] = "0x" + "33" * 32


def lost_receipt(dump: dict[str, Any]) -> None:
    dump["receipts"].pop()


def no_receipts(dump: dict[str, Any]) -> None:
    dump["receipts"] = None


def missing_field(dump: dict[str, Any]) -> None:
    del dump["block"]["transactions"][0]["nonce"]


def wrong_type(dump: dict[str, Any]) -> None:
    dump["block"]["transactions"][0]["value"] = 17


def short_hash(dump: dict[str, Any]) -> None:
    dump["block"]["stateRoot"] = "0x12"


def unknown_type(dump: dict[str, Any]) -> None:
    dump["block"]["transactions"][0]["type"] = "0x7e"


def removed_log(dump: dict[str, Any]) -> None:
    next(r for r in dump["receipts"] if r["logs"])["logs"][0]["removed"] = True


def huge_number(dump: dict[str, Any]) -> None:
    dump["block"]["number"] = "0x" + "f" * 40


def transactions_are_text(dump: dict[str, Any]) -> None:
    dump["block"]["transactions"] = ["0x00"] * len(dump["receipts"])


FORGERIES: list[Callable[[dict[str, Any]], None]] = [
    forge_value, forge_log, forge_status, forge_header, forge_parent, forge_bloom, forge_gas, forge_hash, swap_transactions,
    other_block, lost_receipt, no_receipts, missing_field, wrong_type, short_hash, unknown_type, removed_log, huge_number,
    transactions_are_text,
]  # fmt: skip


@pytest.fixture(scope="module")
def dump() -> dict[str, Any]:
    if not FULL:
        pytest.skip("no mainnet blocks")
    return load(next(path for path in FULL if path.name.startswith("19426587")))


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_a_forged_block_is_refused(dump: dict[str, Any], forge: Callable[[dict[str, Any]], None]) -> None:
    altered = deepcopy(dump)
    forge(altered)
    with pytest.raises(SourceError):
        check_block(to_block(altered["block"], altered["receipts"]), "roots")


def test_a_false_sender_is_refused_at_the_level_that_looks(dump: dict[str, Any]) -> None:
    altered = deepcopy(dump)
    altered["block"]["transactions"][0]["from"] = "0x" + "44" * 20
    block = to_block(altered["block"], altered["receipts"])
    check_block(block, "roots")
    with pytest.raises(SourceError, match="was not signed by"):
        check_block(block, "senders")


@pytest.mark.parametrize("answer", [None, [], "x", 5, {}, {"number": "0x1", "hash": 3, "parentHash": None}, {"number": "1"}])
def test_nonsense_is_no_block(answer: Any) -> None:
    with pytest.raises(SourceError):
        to_block(answer, [])


@pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 17, 127, 128, 129, 255, 256, 257, 700])
def test_ordered_root_equals_a_trie_filled_one_by_one(count: int) -> None:
    items = [bytes([1 + i % 200]) * (1 + (i * 37) % 90) for i in range(count)]
    trie = HexaryTrie({}, prune=False)
    for index, item in enumerate(items):
        trie[rlp.encode(index)] = item
    assert ordered_root(items) == (trie.root_hash if items else EMPTY_ROOT)
