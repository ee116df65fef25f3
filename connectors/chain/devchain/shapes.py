"""JSON-RPC shapes of blocks, transactions, receipts and logs, key by key as geth gives them after Prague.

Quantities are minimal hex, data is full-length hex; keys and forms are those of the execution-apis vectors.
"""

from __future__ import annotations

from typing import Any

from connectors.chain.devchain.block import NO_OMMERS, NO_REQUESTS, Block, Header, Receipt
from connectors.chain.devchain.contracts.abi import Log
from connectors.chain.devchain.ledger import EMPTY_ROOT
from connectors.chain.devchain.transaction import LEGACY, Transaction


def data(value: bytes) -> str:
    """Bytes as they are."""
    return "0x" + value.hex()


def header_json(header: Header, block_hash: bytes) -> dict[str, Any]:
    """What a newHeads event holds."""
    return {
        "parentHash": data(header.parent),
        "sha3Uncles": data(NO_OMMERS),
        "miner": data(header.beneficiary),
        "stateRoot": data(header.state_root),
        "transactionsRoot": data(header.transactions_root),
        "receiptsRoot": data(header.receipts_root),
        "logsBloom": data(header.bloom),
        "difficulty": "0x0",
        "number": hex(header.number),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "timestamp": hex(header.timestamp),
        "extraData": data(header.extra),
        "mixHash": data(header.randao),
        "nonce": "0x0000000000000000",
        "baseFeePerGas": hex(header.base_fee),
        "withdrawalsRoot": data(EMPTY_ROOT),
        "blobGasUsed": "0x0",
        "excessBlobGas": "0x0",
        "parentBeaconBlockRoot": data(header.beacon_root),
        "requestsHash": data(NO_REQUESTS),
        "hash": data(block_hash),
    }


def block_json(block: Block, transactions: list[Any]) -> dict[str, Any]:
    """What eth_getBlockBy... answers with these transactions: objects or hashes."""
    return {
        **header_json(block.header, block.hash),
        "size": hex(block.size),
        "transactions": transactions,
        "uncles": [],
        "withdrawals": [],
    }


def transactions_json(block: Block) -> list[dict[str, Any]]:
    """All transactions of a block."""
    return [transaction_json(block, index) for index in range(len(block.transactions))]


def transaction_json(block: Block, index: int) -> dict[str, Any]:
    """One transaction; ``gasPrice`` is what it really paid."""
    item = block.transactions[index]
    shape = {
        "blockHash": data(block.hash),
        "blockNumber": hex(block.number),
        "blockTimestamp": hex(block.header.timestamp),
        "from": data(item.sender),
        "gas": hex(item.gas),
        "gasPrice": hex(item.price(block.header.base_fee)),
        "hash": data(item.hash),
        "input": data(item.data),
        "nonce": hex(item.nonce),
        "to": data(item.to),
        "transactionIndex": hex(index),
        "value": hex(item.value),
        "type": hex(item.type),
        "chainId": hex(item.chain_id),
        "v": hex(item.v),
        "r": hex(item.r),
        "s": hex(item.s),
    }
    return shape if item.type == LEGACY else {**shape, **_dynamic_fee(item)}


def _dynamic_fee(item: Transaction) -> dict[str, Any]:
    return {
        "maxFeePerGas": hex(item.max_fee),
        "maxPriorityFeePerGas": hex(item.tip),
        "accessList": [],
        "yParity": hex(item.v),
    }


def receipts_json(block: Block) -> list[dict[str, Any]]:
    """All receipts of a block; log indices run through the block."""
    found, first = [], 0
    for index, receipt in enumerate(block.receipts):
        found.append(_receipt_json(block, index, receipt, first))
        first += len(receipt.logs)
    return found


def _receipt_json(block: Block, index: int, receipt: Receipt, first: int) -> dict[str, Any]:
    item = block.transactions[index]
    return {
        "blockHash": data(block.hash),
        "blockNumber": hex(block.number),
        "contractAddress": None,
        "cumulativeGasUsed": hex(receipt.cumulative_gas_used),
        "effectiveGasPrice": hex(item.price(block.header.base_fee)),
        "from": data(item.sender),
        "gasUsed": hex(receipt.gas_used),
        "logs": [log_json(block, index, log, first + n) for n, log in enumerate(receipt.logs)],
        "logsBloom": data(receipt.bloom),
        "status": hex(receipt.status),
        "to": data(item.to),
        "transactionHash": data(item.hash),
        "transactionIndex": hex(index),
        "type": hex(item.type),
    }


def log_json(block: Block, index: int, log: Log, log_index: int) -> dict[str, Any]:
    """One log; ``log_index`` counts through the block."""
    return {
        "address": data(log.address),
        "topics": [data(topic) for topic in log.topics],
        "data": data(log.data),
        "blockNumber": hex(block.number),
        "transactionHash": data(block.transactions[index].hash),
        "transactionIndex": hex(index),
        "blockHash": data(block.hash),
        "blockTimestamp": hex(block.header.timestamp),
        "logIndex": hex(log_index),
        "removed": False,
    }


def pending_json(header: dict[str, Any]) -> dict[str, Any]:
    """The pending block: an empty one on the latest, without what mining would have given it."""
    return {**header, "hash": None, "nonce": None, "miner": None, "uncles": [], "transactions": [], "withdrawals": []}
