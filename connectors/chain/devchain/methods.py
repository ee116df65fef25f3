"""The calls the node answers, by name. Each takes its arguments as decoded JSON and gives the result as JSON bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

from connectors.chain.devchain.answers import Answers
from connectors.chain.devchain.arguments import PENDING, block_by_any, block_by_tag, fixed_bytes, flag
from connectors.chain.devchain.block import Block, next_base_fee
from connectors.chain.devchain.chain import DevChain
from connectors.chain.devchain.ledger import CONTRACT_CODE
from connectors.chain.devchain.log_filter import get_logs
from connectors.chain.devchain.rpc_errors import SERVER_ERROR, RpcError
from connectors.chain.devchain.shapes import data, header_json, pending_json, receipts_json, transaction_json
from connectors.chain.devchain.world import World
from streams import __version__

NULL = b"null"
TIP = 10**9


class Call(NamedTuple):
    """``required``: arguments that must be there; ``most``: how many may be."""

    run: Callable[..., bytes]
    required: int = 0
    most: int = 0


class Methods:
    """Read-only calls on a chain."""

    def __init__(self, chain: DevChain) -> None:
        self._chain = chain
        self._answers = Answers()
        self.table: dict[str, Call] = {
            "web3_clientVersion": Call(lambda: _text(f"MonmouthDevchain/v{__version__}")),
            "net_version": Call(lambda: _text(str(chain.rules.chain_id))),
            "eth_chainId": Call(lambda: _number(chain.rules.chain_id)),
            "eth_syncing": Call(lambda: b"false"),
            "eth_blockNumber": Call(lambda: _number(chain.head.number)),
            "eth_gasPrice": Call(lambda: _number(next_base_fee(chain.head.header) + TIP)),
            "eth_getBlockByNumber": Call(self._block_by_number, 2, 2),
            "eth_getBlockByHash": Call(self._block_by_hash, 2, 2),
            "eth_getBlockReceipts": Call(self._block_receipts, 1, 1),
            "eth_getTransactionByHash": Call(self._transaction, 1, 1),
            "eth_getTransactionReceipt": Call(self._receipt, 1, 1),
            "eth_getLogs": Call(lambda criteria: orjson.dumps(get_logs(chain, criteria)), 1, 1),
            "eth_getBalance": Call(self._balance, 2, 2),
            "eth_getTransactionCount": Call(self._nonce, 2, 2),
            "eth_getCode": Call(self._code, 2, 2),
        }

    def _block_by_number(self, tag: Any, full: Any) -> bytes:
        if tag == PENDING:
            return self._pending()
        return self._render(block_by_tag(self._chain, tag, 0), flag(full, 1))

    def _block_by_hash(self, block_hash: Any, full: Any) -> bytes:
        return self._render(self._chain.block(fixed_bytes(block_hash, 32, 0, "Hash")), flag(full, 1))

    def _render(self, block: Block | None, full: bool) -> bytes:
        if block is None:
            return NULL
        return self._answers.full(block) if full else self._answers.slim(block)

    def _pending(self) -> bytes:
        head = self._chain.head
        shape = header_json(head.header, head.hash)
        del shape["parentBeaconBlockRoot"]
        later = {
            "parentHash": data(head.hash),
            "number": hex(head.number + 1),
            "timestamp": hex(head.header.timestamp + self._chain.rules.slot),
            "gasUsed": "0x0",
            "logsBloom": data(bytes(256)),
            "baseFeePerGas": hex(next_base_fee(head.header)),
            "size": hex(head.size),
        }
        return orjson.dumps(pending_json({**shape, **later}))

    def _block_receipts(self, tag: Any) -> bytes:
        if tag == PENDING:
            return b"[]"
        block = block_by_any(self._chain, tag, 0)
        return NULL if block is None else self._answers.receipts(block)

    def _transaction(self, transaction_hash: Any) -> bytes:
        found = self._chain.locate(fixed_bytes(transaction_hash, 32, 0, "Hash"))
        return NULL if found is None else orjson.dumps(transaction_json(*found))

    def _receipt(self, transaction_hash: Any) -> bytes:
        found = self._chain.locate(fixed_bytes(transaction_hash, 32, 0, "Hash"))
        return NULL if found is None else orjson.dumps(receipts_json(found[0])[found[1]])

    def _balance(self, address: Any, tag: Any) -> bytes:
        return _number(self._state(tag).ledger.balance(fixed_bytes(address, 20, 0, "Address")))

    def _nonce(self, address: Any, tag: Any) -> bytes:
        return _number(self._state(tag).ledger.nonce(fixed_bytes(address, 20, 0, "Address")))

    def _code(self, address: Any, tag: Any) -> bytes:
        contract = fixed_bytes(address, 20, 0, "Address") in self._state(tag).ledger.slots
        return _text(data(CONTRACT_CODE) if contract else "0x")

    def _state(self, tag: Any) -> World:
        block = block_by_any(self._chain, tag, 1)
        if block is None:
            raise RpcError(SERVER_ERROR, "header not found")
        world = self._chain.world(block.hash)
        if world is None:
            raise RpcError(SERVER_ERROR, f"historical state {data(block.header.state_root)} is not available")
        return world


def _number(value: int) -> bytes:
    return b'"0x%x"' % value


def _text(value: str) -> bytes:
    return orjson.dumps(value)
