"""Archives as chain sources: real era1 blocks with their uncles, dumps, and files that are not what they seem."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import cramjam
import orjson
import pytest

from connectors.chain import era1
from connectors.chain.archive import open_archive
from connectors.chain.history import HistorySource
from connectors.chain.verify import check_block
from streams.core.block import BlockRef
from streams.errors import ConfigurationError, SourceError
from streams.producer.loop import BlockProducer
from streams.producer.records import Stager
from streams.settings import ChainSettings
from streams.signing import Signer
from tests.memory_log import MemoryLog

GENESIS = "d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"


@pytest.fixture(scope="module")
def era1_file(data_dir: Path) -> Path:
    return data_dir / "ethereum" / "era1" / "mainnet-00000-5ec1ffb8.era1"


async def heads(source: HistorySource) -> list[BlockRef]:
    found = []
    while not source.ended:
        found.append(await source.head())
    return found


def test_era1_blocks_check_with_roots_and_link(era1_file: Path) -> None:
    total, before = 0, None
    for arrival in era1.arrivals(era1_file, siblings=False):
        total += arrival.difficulty
        assert arrival.total == total
        if arrival.ref.number % 64 == 0:
            block = arrival.load()
            assert block.ref == arrival.ref
            check_block(block, "roots")
        if before is not None:
            assert (arrival.ref.parent, arrival.ref.number) == (before.hash, before.number + 1)
        before = arrival.ref
    assert before is not None
    assert before.number == 8191


def test_era1_siblings_are_real_headers_on_canonical_parents(era1_file: Path) -> None:
    canonical = {arrival.ref.hash for arrival in era1.arrivals(era1_file, siblings=False)}
    arrivals = list(era1.arrivals(era1_file))
    uncles = [arrival for arrival in arrivals if arrival.ref.hash not in canonical]
    assert len(uncles) == 1410
    assert len({arrival.ref.number for arrival in uncles}) == 1291
    assert all(arrival.ref.parent in canonical for arrival in uncles)
    check_block(uncles[0].load(), "roots")


async def test_real_forks_each_undo_one_block(era1_file: Path) -> None:
    log = MemoryLog()
    source = open_archive(era1_file, 1)
    done = await BlockProducer(source, log, Stager(1, 1, Signer(bytes(32))), ChainSettings(), 1).run()
    undos = log.steps("UNDO")
    assert done.reorgs == len(undos) == 1291
    assert {len(record["removed"]) for record in undos} == {1}
    assert log.notifications[0]["block"]["hash"].hex() == GENESIS
    held: list[bytes] = []
    for record in log.notifications:
        if record["step"] == "NEW":
            held.append(record["block"]["hash"])
        elif record["step"] == "UNDO":
            assert held.pop() == record["removed"][0]["hash"]
    assert held == [arrival.ref.hash for arrival in era1.arrivals(era1_file, siblings=False)]


async def test_a_restart_in_the_middle_of_an_archive_goes_on(era1_file: Path) -> None:
    log, stager = MemoryLog(), Stager(1, 1, Signer(bytes(32)))
    for until in (700, 1500):
        await BlockProducer(open_archive(era1_file, 1, "header"), log, stager, ChainSettings(), 1, until=until).run()
    assert log.notifications[-1]["head"]["number"] == 1500
    assert len(log.steps("NEW")) - sum(len(u["removed"]) for u in log.steps("UNDO")) == 1501


def test_a_cut_or_altered_era1_file_is_refused(era1_file: Path, tmp_path: Path) -> None:
    raw = era1_file.read_bytes()
    for name, content in {
        "cut.era1": raw[:50_001],
        "foreign.era1": b"PK\x03\x04" + raw[:100],
        "huge.era1": raw[:8] + b"\x03\x00\xff\xff\xff\xff\x00\x00",
        "altered.era1": raw[:600] + bytes(40) + raw[640:],
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match=name):
            list(era1.arrivals(tmp_path / name))


def test_an_entry_that_would_unpack_without_bound_is_refused_before(tmp_path: Path) -> None:
    packer = cramjam.snappy.Compressor()
    packer.compress(bytes(1 << 20))
    assert era1.MAX_ENTRY * (1 << 20) / len(bytes(packer.finish())) < 257 << 20
    version = era1.VERSION.to_bytes(2, "little") + bytes(6)
    claimed = (era1.MAX_ENTRY + 1).to_bytes(4, "little")
    with (tmp_path / "bomb.era1").open("wb") as file:
        file.write(version + b"\x03\x00" + claimed + bytes(2))
        file.truncate(file.tell() + era1.MAX_ENTRY + 1)
    with pytest.raises(SourceError, match="broken e2store entry at byte 8"):
        list(era1.arrivals(tmp_path / "bomb.era1"))


@pytest.fixture
def pair(data_dir: Path, tmp_path: Path) -> Path:
    """The merge: the last proof-of-work block and its child, in a folder of dumps."""
    for number in ("15537393", "15537394"):
        shutil.copy(data_dir / "ethereum" / "mainnet_full" / f"{number}.json.gz", tmp_path)
    return tmp_path


async def test_dumps_flow_through_the_producer(pair: Path) -> None:
    log = MemoryLog()
    done = await BlockProducer(open_archive(pair, 1), log, Stager(1, 4, Signer(bytes(32))), ChainSettings(), 1).run()
    assert (done.blocks, done.transactions, done.records) == (2, 81, 81)
    assert [record["block"]["number"] for record in log.steps("NEW")] == [15537393, 15537394]


async def test_lines_in_arrival_order_with_a_fork(pair: Path, tmp_path: Path) -> None:
    first, second = (orjson.loads(gzip.decompress((pair / f"{n}.json.gz").read_bytes())) for n in (15537393, 15537394))
    lines = b"\n".join(map(orjson.dumps, (first, second)))
    target = tmp_path / "lines"
    target.mkdir()
    (target / "a.jsonl").write_bytes(lines)
    source = open_archive(target, 1)
    assert [head.number for head in await heads(source)][-1] == 15537394
    assert [block.ref.number for block in await source.span(15537393, 15537394)] == [15537393, 15537394]


async def test_a_gap_in_the_archive_is_an_error(data_dir: Path) -> None:
    with pytest.raises(SourceError, match="does not follow"):
        await heads(open_archive(data_dir / "ethereum" / "mainnet_full", 1))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"block": {}}', b"\x1f\x8bgarbage"])
async def test_what_is_no_dump_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    (tmp_path / "y.json.gz").write_bytes(content)
    for name in ("x.json", "y.json.gz"):
        with pytest.raises(SourceError):
            await heads(open_archive(tmp_path / name, 1))


def test_a_folder_without_history_says_what_it_wants(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ConfigurationError):
            open_archive(path, 1)
