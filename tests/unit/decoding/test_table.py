from __future__ import annotations

import pytest
from eth_utils import to_checksum_address

from streams.decoding.abi import parse_signature
from streams.decoding.agent_abi import AGENT_METHODS, RELATING_METHODS
from streams.decoding.table import ALIASES, METHODS, Method, index
from streams.decoding.text import PHRASES
from streams.decoding.tokens import _MAINNET

PUBLISHED = """
a9059cbb transfer(address,uint256)
23b872dd transferFrom(address,address,uint256)
095ea7b3 approve(address,uint256)
a22cb465 setApprovalForAll(address,bool)
42842e0e safeTransferFrom(address,address,uint256)
b88d4fde safeTransferFrom(address,address,uint256,bytes)
f242432a safeTransferFrom(address,address,uint256,uint256,bytes)
2eb2c2d6 safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)
d505accf permit(address,address,uint256,uint256,uint8,bytes32,bytes32)
d0e30db0 deposit()
2e1a7d4d withdraw(uint256)
38ed1739 swapExactTokensForTokens(uint256,uint256,address[],address,uint256)
7ff36ab5 swapExactETHForTokens(uint256,address[],address,uint256)
18cbafe5 swapExactTokensForETH(uint256,uint256,address[],address,uint256)
fb3bdb41 swapETHForExactTokens(uint256,address[],address,uint256)
414bf389 exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))
04e45aaf exactInputSingle((address,address,uint24,address,uint256,uint256,uint160))
c04b8d59 exactInput((bytes,address,uint256,uint256,uint256))
3593564c execute(bytes,bytes[],uint256)
24856bc3 execute(bytes,bytes[])
ac9650d8 multicall(bytes[])
5ae401dc multicall(uint256,bytes[])
e8e33700 addLiquidity(address,address,uint256,uint256,uint256,uint256,address,uint256)
f305d719 addLiquidityETH(address,uint256,uint256,uint256,address,uint256)
88316456 mint((address,address,uint24,int24,int24,uint256,uint256,uint256,uint256,address,uint256))
a1903eab submit(address)
617ba037 supply(address,uint256,address,uint16)
a415bcad borrow(address,uint256,uint256,uint16,address)
573ade81 repay(address,uint256,uint256,address)
69328dec withdraw(address,uint256,address)
56781388 castVote(uint256,uint8)
5c19a95c delegate(address)
6a761202 execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)
12aa3caf swap(address,(address,address,address,address,uint256,uint256,uint256),bytes,bytes)
fb0f3ee1 fulfillBasicOrder((address,uint256,uint256,address,address,address,uint256,uint256,uint8,uint256,uint256,bytes32,uint256,bytes32,bytes32,uint256,(uint256,address)[],bytes))
"""  # noqa: E501


@pytest.mark.parametrize("line", PUBLISHED.strip().splitlines())
def test_selectors_are_those_the_contracts_publish(line: str) -> None:
    selector, canonical = line.split(" ", 1)
    assert METHODS[bytes.fromhex(selector)].signature.canonical == canonical


def test_every_method_can_be_told_and_names_no_argument_twice() -> None:
    for method in METHODS.values():
        assert method.intent in PHRASES, method
        names = [n.name for p in method.signature.parameters for n in (p.components if not p.dimensions else ()) or (p,)]
        assert all(names), method.signature.canonical
        assert len(names) == len(set(names)), method.signature.canonical


def test_every_agent_method_has_its_selector_and_its_alias() -> None:
    for agent_method in AGENT_METHODS:
        method = METHODS[parse_signature(agent_method.signature).selector]
        assert method.intent == agent_method.intent
        assert agent_method.alias is not None
        assert METHODS[bytes.fromhex(agent_method.alias)] is method
    assert len(ALIASES) == len(AGENT_METHODS)


def test_methods_that_relate_memories_are_of_the_agents_too() -> None:
    for relating in RELATING_METHODS:
        method = METHODS[parse_signature(relating.signature).selector]
        assert (method.intent, method.of_agents, relating.alias) == (relating.intent, True, None)
        assert [p.name for p in method.signature.parameters] == list(relating.names)


def test_two_methods_cannot_share_a_selector() -> None:
    method = Method(parse_signature("transfer(address to, uint256 amount)"), "transfer")
    with pytest.raises(ValueError, match="a9059cbb"):
        index([method], {method.signature.selector: method})


def test_token_addresses_carry_their_checksum() -> None:
    for line in filter(None, _MAINNET.splitlines()):
        assert to_checksum_address(line.split()[0].lower()) == line.split()[0]
