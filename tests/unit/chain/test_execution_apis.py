"""The execution-apis conformance answers: a client's own JSON, held against the same chain as RLP."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
import pytest
import rlp

from connectors.chain import decode
from connectors.chain.convert import block_ref, header_record, to_block
from connectors.chain.trie import ordered_root
from connectors.chain.verify import check_block, header_hash, transaction_rlp
from streams.core.block import BlockRef
from streams.ports.chain import Transaction
from tests.conftest import DATA

VECTORS = DATA / "ethereum" / "execution_apis"
pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason="no execution-apis vectors")


@cache
def exchange(name: str) -> tuple[dict[str, Any], Any]:
    """(request, result) of a vector."""
    lines = (VECTORS / f"{name}.io").read_text().splitlines()
    request, answer = (orjson.loads(next(line for line in lines if line.startswith(mark))[3:]) for mark in (">> ", "<< "))
    return request, answer["result"]


@cache
def chain() -> dict[int, tuple[BlockRef, list[Transaction]]]:
    """Blocks of chain.rlp by number, senders recovered."""
    stream, offset = (VECTORS / "chain.rlp").read_bytes(), 0
    blocks = {}
    while offset < len(stream):
        length = rlp.codec.consume_length_prefix(stream, offset)
        end = length[3] + length[2]
        header, transactions, *_ = decode.decode(stream[offset:end])
        record = decode.header(header)
        txs = [decode.transaction(item, index, record["base_fee_per_gas"]) for index, item in enumerate(transactions)]
        assert ordered_root([transaction_rlp(tx) for tx in txs]) == record["transactions_root"]
        blocks[record["number"]] = (decode.ref_of(record), txs)
        offset = end
    return blocks


HEADERS = [f"eth_getBlockByNumber/get-{name}" for name in ("finalized", "genesis", "latest", "safe")] + [
    f"eth_getBlockByNumber/get-block-{fork}-fork" for fork in ("london", "merge", "shanghai", "cancun", "prague")
]


@pytest.mark.parametrize("name", HEADERS)
def test_header_hash_of_every_fork(name: str) -> None:
    _, answer = exchange(name)
    record = header_record(answer)
    assert "0x" + header_hash(record).hex() == answer["hash"]
    ref = block_ref(answer)
    if ref.number:
        assert chain()[ref.number][0] == ref


def test_the_chain_links_and_holds_every_transaction_type() -> None:
    blocks = chain()
    assert all(blocks[n][0].parent == blocks[n - 1][0].hash for n in blocks if n - 1 in blocks)
    assert {tx["type"] for _, txs in blocks.values() for tx in txs} == {0, 1, 2, 3, 4}


@pytest.mark.parametrize(
    ("block", "receipts"),
    [
        ("eth_getBlockByHash/get-block-by-hash", "eth_getBlockReceipts/get-block-receipts-by-hash"),
        ("eth_getBlockByNumber/get-latest", "eth_getBlockReceipts/get-block-receipts-latest"),
        ("eth_getBlockByNumber/get-genesis", "eth_getBlockReceipts/get-block-receipts-0"),
    ],
)
def test_whole_blocks_check_down_to_the_senders(block: str, receipts: str) -> None:
    found = to_block(exchange(block)[1], exchange(receipts)[1])
    check_block(found, "senders")
    for mine, decoded in zip(found.transactions, chain().get(found.ref.number, (None, []))[1], strict=True):
        for field in ("hash", "type", "sender", "to", "nonce", "value", "gas", "input", "access_list", "authorization_list"):
            assert mine[field] == decoded[field]
        assert mine["gas_price"] == decoded["gas_price"]
