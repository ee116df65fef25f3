"""Answers compared key by key and form by form with the execution-apis vectors, which a real geth gave."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from connectors.chain.devchain import DevChain
from connectors.chain.devchain.rpc import Rpc
from tests.forms import QUANTITY, form, loose


def vector(data_dir: Path, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Request and answer of one .io file."""
    lines = (data_dir / "ethereum" / "execution_apis" / f"{name}.io").read_text().splitlines()
    request = next(json.loads(line[3:]) for line in lines if line.startswith(">> "))
    answer = next(json.loads(line[3:]) for line in lines if line.startswith("<< "))
    return request, answer


class Client:
    def __init__(self, chain: DevChain) -> None:
        self.rpc = Rpc(chain)

    def __call__(self, method: str, *params: Any) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)})
        answer = json.loads(self.rpc.answer(body) or b"")
        assert answer["jsonrpc"] == "2.0"
        assert answer["id"] == 7
        return answer.get("result", answer.get("error"))


@pytest.fixture(scope="module")
def call(chain: DevChain) -> Client:
    return Client(chain)


def same_block(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    loosely = ("extraData",)
    assert set(ours) == set(theirs)
    assert loose(form(ours), *loosely) == loose(form(theirs), *loosely)


def test_blocks_have_the_keys_and_forms_of_geth(data_dir: Path, call: Client) -> None:
    for name in ("get-latest", "get-finalized", "get-safe"):
        _, theirs = vector(data_dir, f"eth_getBlockByNumber/{name}")
        same_block(call("eth_getBlockByNumber", "latest", True), theirs["result"])
    _, prague = vector(data_dir, "eth_getBlockByNumber/get-block-prague-fork")
    ours = call("eth_getBlockByNumber", "latest", False)
    same_block(ours, prague["result"])
    assert all(re.fullmatch(r"0x[0-9a-f]{64}", item) for item in ours["transactions"])


def test_transactions_have_the_keys_and_forms_of_geth(data_dir: Path, call: Client) -> None:
    """Legacy from the vectors' head; type 2 keys are those geth adds to it."""
    _, answer = vector(data_dir, "eth_getBlockByNumber/get-latest")
    theirs = answer["result"]["transactions"][0]
    loosely = ("input", "r", "s", "to", "v", "value")
    seen = set()
    for height in range(1, 30):
        for ours in call("eth_getBlockByNumber", hex(height), True)["transactions"]:
            seen.add(ours["type"])
            extra = {"maxFeePerGas", "maxPriorityFeePerGas", "accessList", "yParity"} if ours["type"] == "0x2" else set()
            assert set(ours) == set(theirs) | extra
            common = {key: ours[key] for key in theirs}
            assert loose(form(common), *loosely) == loose(form(theirs), *loosely)
            assert all(QUANTITY.fullmatch(ours[key]) for key in ("r", "s", "v", "value"))
    assert seen == {"0x0", "0x2"}


def test_receipts_and_logs_have_the_keys_and_forms_of_geth(data_dir: Path, call: Client) -> None:
    _, answer = vector(data_dir, "eth_getTransactionReceipt/get-dynamic-fee")
    theirs = answer["result"]
    ours = next(r for r in call("eth_getBlockReceipts", "latest") if r["type"] == "0x2" and r["logs"])
    assert set(ours) == set(theirs)
    assert form(ours) == form(theirs)
    assert set(ours["logs"][0]) == set(theirs["logs"][0])
    assert loose(form(ours["logs"][0]), "data") == loose(form(theirs["logs"][0]), "data")
    assert call("eth_getTransactionReceipt", ours["transactionHash"]) == ours
    _, logs = vector(data_dir, "eth_getLogs/filter-with-blockHash")
    assert set(call("eth_getLogs", {"blockHash": ours["blockHash"]})[0]) == set(logs["result"][0])


@pytest.mark.parametrize(
    "name",
    [
        "eth_getBlockByHash/get-block-by-empty-hash",
        "eth_getBlockByHash/get-block-by-notfound-hash",
        "eth_getBlockByNumber/get-block-notfound",
        "eth_getBlockReceipts/get-block-receipts-0",
        "eth_getBlockReceipts/get-block-receipts-earliest",
        "eth_getBlockReceipts/get-block-receipts-empty",
        "eth_getBlockReceipts/get-block-receipts-not-found",
        "eth_getTransactionReceipt/get-empty-tx",
        "eth_getTransactionReceipt/get-notfound-tx",
        "eth_getLogs/filter-error-invalid-blockHash-and-range",
        "eth_getLogs/filter-error-reversed-block-range",
        "eth_getLogs/filter-error-future-block-range",
    ],
)
def test_nothings_and_errors_are_those_of_geth(data_dir: Path, call: Client, name: str) -> None:
    request, theirs = vector(data_dir, name)
    params = request["params"]
    if "future-block" in name:  # the vectors' head is 0x36
        params = [{"fromBlock": "0x1", "toBlock": "0x3e8"}]
    if "reversed" in name:
        params = [{"fromBlock": "0x5", "toBlock": "0x2"}]
    assert call(request["method"], *params) == theirs.get("result", theirs.get("error"))


@pytest.mark.parametrize("name", ["eth_chainId/get-chain-id", "eth_blockNumber/simple-test"])
def test_numbers_are_quantities(data_dir: Path, call: Client, name: str) -> None:
    request, theirs = vector(data_dir, name)
    assert QUANTITY.fullmatch(theirs["result"])
    assert QUANTITY.fullmatch(call(request["method"]))
