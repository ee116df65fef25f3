"""Calls, batches and errors, without a socket."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.chain.devchain import DevChain, canonical
from connectors.chain.devchain.answers import Answers
from connectors.chain.devchain.rpc import MAX_BATCH, Rpc

A_HASH = "0x" + "ab" * 32
AN_ADDRESS = "0x" + "ab" * 20


@pytest.fixture
def small() -> DevChain:
    chain = DevChain(6, agents=5, transactions=6, finality_depth=10)
    chain.advance(12)
    return chain


def ask(chain: DevChain, method: str, *params: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    answer = json.loads(Rpc(chain).answer(json.dumps(body)) or b"")
    return answer["result"] if "result" in answer else answer["error"]


def error(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}


def test_tags(small: DevChain) -> None:
    def numbered(tag: str) -> int:
        return int(ask(small, "eth_getBlockByNumber", tag, False)["number"], 16)

    assert (numbered("earliest"), numbered("finalized"), numbered("safe"), numbered("latest")) == (0, 2, 7, 12)
    assert numbered("0x5") == 5
    assert ask(small, "eth_getBlockByNumber", "0xd", False) is None
    young = DevChain(6, transactions=0)
    assert ask(young, "eth_getBlockByNumber", "finalized", False) == error(-32000, "finalized block not found")
    assert ask(young, "eth_getBlockByNumber", "safe", False) == error(-32000, "safe block not found")


def test_pending_is_an_empty_block_without_a_name(small: DevChain) -> None:
    pending = ask(small, "eth_getBlockByNumber", "pending", True)
    latest = ask(small, "eth_getBlockByNumber", "latest", False)
    assert pending["parentHash"] == latest["hash"]
    assert int(pending["number"], 16) == 13
    assert pending["hash"] is pending["nonce"] is pending["miner"] is None
    assert pending["transactions"] == []
    assert set(pending) == set(latest) - {"parentBeaconBlockRoot"}


def test_answers_agree_with_the_oracle(small: DevChain) -> None:
    small.reorg(4)
    for ref, block, receipts in canonical(small):
        name = "0x" + ref.hash.hex()
        assert ask(small, "eth_getBlockByHash", name, True) == block
        assert ask(small, "eth_getBlockByNumber", hex(ref.number), True) == block
        slim = {**block, "transactions": [tx["hash"] for tx in block["transactions"]]}
        assert ask(small, "eth_getBlockByHash", name, False) == slim
        for tag in (name, hex(ref.number), {"blockHash": name}, {"blockNumber": hex(ref.number)}):
            assert ask(small, "eth_getBlockReceipts", tag) == receipts
        assert ask(small, "eth_getLogs", {"blockHash": name}) == [log for r in receipts for log in r["logs"]]
        for tx, receipt in zip(block["transactions"], receipts, strict=True):
            assert ask(small, "eth_getTransactionByHash", tx["hash"]) == tx
            assert ask(small, "eth_getTransactionReceipt", tx["hash"]) == receipt


def test_orphans_are_served_by_hash_only(small: DevChain) -> None:
    before = {
        built.block.hash: ask(small, "eth_getBlockByHash", "0x" + built.block.hash.hex(), True) for built in small.line(9)
    }
    logs = {h: ask(small, "eth_getLogs", {"blockHash": "0x" + h.hex()}) for h in before}
    change = small.reorg(4)
    assert [block.hash for block in change.removed] == list(before)
    for block in change.removed:
        name = "0x" + block.hash.hex()
        assert ask(small, "eth_getBlockByHash", name, True) == before[block.hash]
        assert len(ask(small, "eth_getBlockReceipts", name)) == len(block.transactions)
        assert ask(small, "eth_getLogs", {"blockHash": name}) == logs[block.hash]
        assert ask(small, "eth_getBlockByNumber", hex(block.number), False)["hash"] != name
    gone = change.removed[-1]
    small.switch(gone.hash)
    small.silent_rewind(1)
    assert ask(small, "eth_getBlockByHash", "0x" + gone.hash.hex(), False) is None
    assert ask(small, "eth_getBlockReceipts", "0x" + gone.hash.hex()) is None


def test_a_cached_answer_survives_a_flip(small: DevChain) -> None:
    rpc = Rpc(small)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber", "params": ["0xa", True]})
    tip, first = small.head.hash, rpc.answer(body)
    small.reorg(3)
    assert rpc.answer(body) != first
    small.switch(tip)
    assert rpc.answer(body) == first


def test_the_cache_is_bounded(small: DevChain) -> None:
    answers = Answers(capacity=3)
    for built in small.line():
        assert answers.full(built.block) == answers.full(built.block)
    assert len(answers._kept) == 3


def test_state_follows_the_branch(small: DevChain) -> None:
    agent = small.agents[0]
    name = "0x" + agent.hex()
    sent = sum(t.sender == agent for built in small.line() for t in built.block.transactions)
    assert int(ask(small, "eth_getTransactionCount", name, "latest"), 16) == sent
    balance = ask(small, "eth_getBalance", name, "latest")
    orphan = small.head.hash
    small.reorg(2)
    assert ask(small, "eth_getBalance", name, {"blockHash": "0x" + orphan.hex()}) == balance
    assert ask(small, "eth_getBalance", name, "0x63") == error(-32000, "header not found")
    assert ask(small, "eth_getBalance", name, "earliest")["code"] == -32000
    assert ask(small, "eth_getBalance", AN_ADDRESS, "latest") == "0x0"
    assert ask(small, "eth_getCode", name, "latest") == "0x"
    hub = next(t.to for built in small.line() for t in built.block.transactions if t.data)
    assert ask(small, "eth_getCode", "0x" + hub.hex(), "latest") == "0xfe"


def test_small_answers(small: DevChain) -> None:
    assert ask(small, "eth_chainId") == "0x539"
    assert ask(small, "net_version") == "1337"
    assert ask(small, "eth_blockNumber") == "0xc"
    assert ask(small, "eth_syncing") is False
    assert ask(small, "web3_clientVersion").startswith("MonmouthDevchain/v")
    assert int(ask(small, "eth_gasPrice"), 16) > 10**9


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("eth_nonsense", [], error(-32601, "the method eth_nonsense does not exist/is not available")),
        ("eth_subscribe", ["newHeads"], error(-32601, "notifications not supported")),
        ("eth_getBlockByHash", [A_HASH], error(-32602, "missing value for required argument 1")),
        ("eth_getBlockByHash", [A_HASH, True, 1], error(-32602, "too many arguments, want at most 2")),
        ("eth_chainId", [1], error(-32602, "too many arguments, want at most 0")),
        ("eth_getBlockByHash", ["0xab", True], "invalid argument 0: hex string has length 2, want 64 for common.Hash"),
        ("eth_getBlockByHash", [A_HASH, "yes"], "invalid argument 1"),
        ("eth_getBlockByHash", ["0x" + "zz" * 32, True], "invalid argument 0"),
        ("eth_getBlockByHash", [None, True], error(-32602, "missing value for required argument 0")),
        ("eth_getBlockByHash", ["0x123", True], "hex string of odd length"),
        ("eth_getBlockByHash", [1, True], "json: cannot unmarshal non-string into Go value of type common.Hash"),
        ("eth_getBlockByNumber", [1, True], error(-32602, "invalid argument 0: hex string without 0x prefix")),
        ("eth_getBlockByNumber", ["", True], error(-32602, "invalid argument 0: empty hex string")),
        ("eth_getBlockByNumber", [hex(2**63), True], error(-32602, "invalid argument 0: block number larger than int64")),
        ("eth_getBlockReceipts", [{}], error(-32602, "invalid argument 0: must specify either BlockHash or BlockNumber")),
        ("eth_getBlockReceipts", [{"blockHash": "0x1"}], "json: cannot unmarshal object into Go value of type string"),
        ("eth_unsubscribe", ["0x1"], error(-32000, "subscription not found")),
        ("eth_getBlockByNumber", ["0x01", True], error(-32602, "invalid argument 0: hex number with leading zero digits")),
        ("eth_getBlockByNumber", ["12", True], error(-32602, "invalid argument 0: hex string without 0x prefix")),
        ("eth_getBlockByNumber", ["0x", True], error(-32602, 'invalid argument 0: hex string "0x"')),
        ("eth_getBlockByNumber", ["0x" + "f" * 17, True], error(-32602, "invalid argument 0: hex number > 64 bits")),
        ("eth_getBlockByNumber", [7, True], "invalid argument 0"),
        ("eth_getBlockReceipts", [{}], "invalid argument 0"),
        ("eth_getBlockReceipts", [{"blockHash": A_HASH, "blockNumber": "0x1"}], "cannot specify both"),
        ("eth_getBalance", ["0x12", "latest"], "want 40 for common.Address"),
        ("eth_getLogs", [[]], "invalid argument 0"),
        ("eth_getLogs", [{"topics": [A_HASH] * 5}], error(-32602, "exceed max topics")),
        ("eth_getLogs", [{"address": [AN_ADDRESS] * 1_001}], "exceed max addresses or topics per search position"),
        ("eth_getLogs", [{"blockHash": A_HASH}], error(-32000, "unknown block")),
    ],
)  # fmt: skip
def test_errors(small: DevChain, method: str, params: list[Any], expected: Any) -> None:
    answer = ask(small, method, *params)
    if isinstance(expected, dict):
        assert answer == expected
    else:
        assert answer["code"] == -32602
        assert expected in answer["message"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"", -32700),
        (b"[]", -32600),
        (b"3", -32600),
        (b"{}", -32600),
        (b'{"id":1,"method":"eth_chainId"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":5}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":{"a":1}}', -32602),
        (b"[" + b",".join([b"1"] * (MAX_BATCH + 1)) + b"]", -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}', -32600),
        (b"[" * 100_000, -32700),
    ],
)
def test_what_is_no_request(small: DevChain, body: bytes, code: int) -> None:
    answer = json.loads(Rpc(small).answer(body) or b"")
    assert answer["error"]["code"] == code


def test_batches_answer_in_order_and_skip_notifications(small: DevChain) -> None:
    body = [
        {"jsonrpc": "2.0", "id": "a", "method": "eth_chainId"},
        {"jsonrpc": "2.0", "method": "eth_blockNumber"},
        7,
        {"jsonrpc": "2.0", "id": None, "method": "eth_nonsense"},
        {"jsonrpc": "2.0", "id": 3, "method": "eth_blockNumber", "params": []},
    ]
    answers = json.loads(Rpc(small).answer(json.dumps(body)) or b"")
    assert [answer["id"] for answer in answers] == ["a", None, None, 3]
    assert answers[0]["result"] == "0x539"
    assert answers[1]["error"]["code"] == -32600
    assert answers[2]["error"]["code"] == -32601
    assert answers[3]["result"] == "0xc"
    assert Rpc(small).answer(json.dumps([body[1]])) is None
    assert Rpc(small).answer(json.dumps(body[1])) is None


def test_logs_over_a_range_and_by_topic_and_address(small: DevChain) -> None:
    everything = [log for _, _, receipts in canonical(small) for r in receipts for log in r["logs"]]
    span = {"fromBlock": "0x0", "toBlock": "latest"}
    assert ask(small, "eth_getLogs", span) == everything
    assert everything
    assert ask(small, "eth_getLogs", {**span, "topics": [None, []]}) == [log for log in everything if len(log["topics"]) > 1]
    transfer = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    wanted = [log for log in everything if log["topics"][0] == transfer]
    assert 0 < len(wanted) < len(everything)
    assert ask(small, "eth_getLogs", {**span, "topics": [transfer]}) == wanted
    assert ask(small, "eth_getLogs", {**span, "topics": [[A_HASH, transfer]]}) == wanted
    where = wanted[0]["address"]
    assert ask(small, "eth_getLogs", {**span, "address": where}) == [log for log in everything if log["address"] == where]
    only = {**span, "address": [where, AN_ADDRESS], "topics": [transfer, wanted[0]["topics"][1]]}
    assert ask(small, "eth_getLogs", only) == [
        log for log in wanted if log["address"] == where and log["topics"][1] == wanted[0]["topics"][1]
    ]
    assert ask(small, "eth_getLogs", {}) == [log for log in everything if log["blockNumber"] == "0xc"]
    some = {"fromBlock": "0x3", "toBlock": "0x4"}
    assert ask(small, "eth_getLogs", some) == [log for log in everything if log["blockNumber"] in ("0x3", "0x4")]
