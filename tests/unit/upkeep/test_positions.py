"""What checkpoints of the memory agent must say where agents were erased: it counts what it does not write."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from schemas.codec import codec, using
from streams import topics
from streams.ports.log import TopicPartition
from streams.upkeep.pipeline import Pipeline
from streams.upkeep.standing import StandingLog
from streams.upkeep.transactions import TransactionLog
from streams.upkeep.verify_positions import due
from streams.vault.keys import FileKeyStore
from streams.vault.master import MasterKey
from streams.vault.sealing import SealingCodec
from tests.chainlog import SIGNER, VERIFIER, ChainLog
from tests.fakelog import FakeBroker
from tests.transactions import AGENT, PEER
from tests.unit.agents.test_erasure import BLOCKS, Line, erasing, told, transaction
from tests.unit.runtime.driving import settings


def written(line: Line, topic: str, broker: FakeBroker) -> None:
    """A topic that blocks stand in, as the line has it."""
    chain = ChainLog(partitions=1, topic=topic)
    entries = line.log if topic == topics.MEMORY_LOG else [entry for entry in line.inputs if entry[0] == topic]
    for _, block, pairs in entries:
        target = TopicPartition(topic, 0)
        if block is None:
            broker.append(target, pairs)
            continue
        records = [(key, *codec().decode(value)) for key, value in pairs]
        broker.append(target, chain.add_records([records], block).records[0])


@pytest.mark.parametrize("erased", [True, False])
async def test_transactions_of_an_erased_agent_count_for_the_digest(tmp_path: Path, erased: bool) -> None:
    sealing = SealingCodec(FileKeyStore(tmp_path / "keys", lambda: MasterKey(bytes(32))))
    with using(sealing):
        line, broker = Line(sealing), FakeBroker(1)
        await told(line)
        if erased:
            await line.say(topics.COMMANDS, "MemoryCommand", [erasing()])
        at_third = line.memory.state_digest()
        late = [transaction(BLOCKS[3], AGENT, "after all"), transaction(BLOCKS[3], PEER, "peer", 1)]
        await line.say(topics.TRANSACTIONS, "ChainTransaction", late, BLOCKS[3])
        for topic in (topics.MEMORY_LOG, topics.TRANSACTIONS):
            written(line, topic, broker)
        at = Pipeline(broker, settings(tmp_path, partitions=1), SIGNER, VERIFIER)
        standing, transactions, reader = StandingLog(at, 0, digests={}), TransactionLog(at, 0), broker.reader()
        await standing.read(reader)
        await transactions.read(reader, graph=False)
        without = due(standing, transactions, None)["memory"]
        assert (without.digest == line.memory.state_digest()) is not erased
        await transactions.read(reader, graph=True, erased=[AGENT])
        must = due(standing, transactions, None)["memory"]
        assert must.digest == line.memory.state_digest()
        assert must.digests[BLOCKS[2].hash] == at_third != must.digest == must.digests[BLOCKS[3].hash]
        unkept = StandingLog(at, 0)
        await unkept.read(reader)
        assert unkept.digests is None, "nobody asked for one of each block"
        assert due(unkept, transactions, None)["memory"] == replace(must, digests={})
