from __future__ import annotations

import json
from pathlib import Path

import pytest

from streams.decoding.flows import flow_text, moved_collectibles, net_flows
from streams.decoding.logs import MAX_EVENTS, decode_log, decode_logs
from streams.decoding.tokens import Money
from tests.transactions import AGENT, CONTRACT, PEER, USDC, WETH, log, rpc_log, transfer_log


def test_number_of_topics_tells_tokens_from_collectibles() -> None:
    fungible = decode_log(transfer_log(USDC, AGENT, PEER, 7))
    collectible = decode_log(log(CONTRACT, "Transfer(address,address,uint256)", AGENT, PEER, 7))
    assert fungible is not None
    assert collectible is not None
    assert (fungible.name, fungible.arguments["amount"]) == ("Transfer", 7)
    assert (collectible.name, collectible.arguments["token_id"]) == ("TransferToken", 7)


def test_swaps_of_both_versions() -> None:
    second = log(
        CONTRACT, "Swap(address,uint256,uint256,uint256,uint256,address)", AGENT, PEER, data=bytes(31) + b"\x05" + bytes(96)
    )
    third = log(
        CONTRACT, "Swap(address,address,int256,int256,uint160,uint128,int24)", AGENT, PEER, data=b"\xff" * 32 + bytes(128)
    )
    decoded = decode_logs([second, third])
    assert [event.name for event in decoded] == ["SwapV2", "SwapV3"]
    assert decoded[0].arguments["amount_a_in"] == 5
    assert decoded[1].arguments["amount_a"] == -1


@pytest.mark.parametrize(
    "entry",
    [
        {"index": 0, "address": CONTRACT, "topics": [], "data": b""},
        {"index": 0, "address": CONTRACT, "topics": [b"\x01" * 32], "data": b""},
        transfer_log(USDC, AGENT, PEER, 7) | {"data": b""},
        transfer_log(USDC, AGENT, PEER, 7) | {"data": bytes(33)},
        log(USDC, "Transfer(address,address,uint256)", b"\x01" * 32, PEER, data=bytes(32)),
    ],
    ids=["no topic", "unknown", "no data", "data too long", "dirty address"],
)
def test_what_does_not_fit_is_no_event(entry) -> None:
    assert decode_log(entry) is None


def test_only_so_many_logs_are_read() -> None:
    assert len(decode_logs([transfer_log(USDC, AGENT, PEER, 1)] * (MAX_EVENTS + 5))) == MAX_EVENTS


def test_flows_are_net_and_leave_out_what_came_and_went() -> None:
    events = decode_logs([
        transfer_log(USDC, AGENT, PEER, 5_000_000),
        transfer_log(USDC, PEER, AGENT, 2_000_000),
        transfer_log(WETH, PEER, AGENT, 10**18),
        transfer_log(CONTRACT, AGENT, PEER, 4),
        transfer_log(CONTRACT, PEER, AGENT, 4),
        transfer_log(WETH, AGENT, AGENT, 9),
        log(CONTRACT, "Transfer(address,address,uint256)", PEER, AGENT, 12),
    ])  # fmt: skip
    assert net_flows(events, AGENT) == {USDC: -3_000_000, WETH: 10**18}
    assert moved_collectibles(events, AGENT) == (["NFT 12 of collection 0xc3c3c3c3…"], [])
    assert flow_text(events, AGENT, Money(1)) == ("1 WETH and NFT 12 of collection 0xc3c3c3c3…", "3 USDC")


def test_transfers_of_real_blocks_equal_those_of_another_tool(data_dir: Path) -> None:
    """Fixtures of ethereum-etl: receipts as a node gave them, and the token transfers that tool extracts."""
    folder = data_dir / "ethereum/ethereum_etl/blocks_1755634_1755635"
    rows = [json.loads(line) for line in (folder / "expected_token_transfers.json").read_text().splitlines()]
    expected = {
        (r["token_address"], r["from_address"], r["to_address"], r["value"]) for r in rows if r["type"] == "token_transfer"
    }
    found = set()
    for path in folder.glob("web3_response.eth_getTransactionReceipt_*.json"):
        for event in decode_logs(map(rpc_log, json.loads(path.read_text())["result"]["logs"])):
            assert event.name == "Transfer"
            addresses = (event.contract, event.arguments["sender"], event.arguments["recipient"])
            found.add((*(f"0x{address.hex()}" for address in addresses), event.arguments["amount"]))
    assert expected
    assert found == expected
