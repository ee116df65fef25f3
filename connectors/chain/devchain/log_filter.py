"""Filters of eth_getLogs and of log subscriptions.

``topics``: for each position null or an empty list (anything), one topic, or several of which one must match.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from connectors.chain.devchain.arguments import block_by_tag, fixed_bytes
from connectors.chain.devchain.block import Block
from connectors.chain.devchain.chain import DevChain
from connectors.chain.devchain.contracts.abi import Log
from connectors.chain.devchain.rpc_errors import INVALID_PARAMS, SERVER_ERROR, RpcError, bad_argument
from connectors.chain.devchain.shapes import log_json

MAX_TOPICS = 4
MAX_ALTERNATIVES = 1_000


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Empty sets match anything."""

    addresses: frozenset[bytes]
    topics: tuple[frozenset[bytes], ...]

    @classmethod
    def of(cls, criteria: Any, index: int) -> LogFilter:
        """From the JSON object of a call. Raises RpcError on a wrong form."""
        if not isinstance(criteria, dict):
            raise bad_argument(index, "json: cannot unmarshal non-object into Go value of type filters.FilterCriteria")
        addresses = criteria.get("address")
        topics = criteria.get("topics") or []
        if not isinstance(topics, list) or len(topics) > MAX_TOPICS:
            raise RpcError(INVALID_PARAMS, "exceed max topics")
        return cls(
            frozenset(fixed_bytes(item, 20, index, "Address") for item in _alternatives(addresses)),
            tuple(frozenset(fixed_bytes(item, 32, index, "Hash") for item in _alternatives(topic)) for topic in topics),
        )

    def matches(self, log: Log) -> bool:
        """Whether the log passes."""
        if self.addresses and log.address not in self.addresses:
            return False
        if len(self.topics) > len(log.topics):
            return False
        return all(not wanted or found in wanted for wanted, found in zip(self.topics, log.topics, strict=False))

    def select(self, block: Block) -> Iterator[dict[str, Any]]:
        """The JSON of the block's logs that pass."""
        log_index = 0
        for index, receipt in enumerate(block.receipts):
            for log in receipt.logs:
                if self.matches(log):
                    yield log_json(block, index, log, log_index)
                log_index += 1


def get_logs(chain: DevChain, criteria: Any) -> list[dict[str, Any]]:
    """eth_getLogs: by block hash (any branch) or over a range of canonical blocks."""
    wanted = LogFilter.of(criteria, 0)
    return [log for block in _blocks(chain, criteria) for log in wanted.select(block)]


def _blocks(chain: DevChain, criteria: dict[str, Any]) -> Iterator[Block]:
    named = criteria.get("blockHash")
    start, end = criteria.get("fromBlock"), criteria.get("toBlock")
    if named is not None:
        if start is not None or end is not None:
            raise bad_argument(0, "cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other")
        block = chain.block(fixed_bytes(named, 32, 0, "Hash"))
        if block is None:
            raise RpcError(SERVER_ERROR, "unknown block")
        return iter((block,))
    first, last = _height(chain, start), _height(chain, end)
    if first > last:
        raise RpcError(INVALID_PARAMS, "invalid block range params")
    if last > chain.head.number:
        raise RpcError(INVALID_PARAMS, "block range extends beyond current head block")
    return (block for number in range(first, last + 1) if (block := chain.at(number)) is not None)


def _height(chain: DevChain, value: Any) -> int:
    if value is None:
        return chain.head.number
    block = block_by_tag(chain, value, 0)
    return block.number if block is not None else int(value, 16)


def _alternatives(value: Any) -> list[Any]:
    items = [] if value is None else value if isinstance(value, list) else [value]
    if len(items) > MAX_ALTERNATIVES:
        raise RpcError(INVALID_PARAMS, "exceed max addresses or topics per search position")
    return items
