"""Archives hold the log record by record, grow by what is new, stand in for what the log lost; an altered one is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from streams import topics
from streams.errors import LogIntegrityError, MonmouthError, PositionLostError
from streams.ports.log import TopicPartition
from streams.runtime.job import Job, job_of
from streams.runtime.state import StateStore, state_path
from streams.signing import Signer, Verifier
from streams.upkeep import archive as module
from streams.upkeep.archive import MANIFEST, Archive, ArchivedClient, ArchivedReader, ArchiveError, Writer, to_write
from streams.upkeep.rebuild import RebuildError, rebuild
from tests.chainlog import SIGNER, VERIFIER, ChainLog
from tests.fakelog import FakeBroker
from tests.toys import Copy, Tally, expected_counts, factory
from tests.unit.runtime.driving import caught_up, check_tally, publish, settings, until, worker
from tests.unit.runtime.test_replay import LIMITS, grown
from tests.unit.upkeep.test_replay import worked

SOURCES = [TopicPartition(topic, number) for topic in (topics.TRANSACTIONS, topics.COMMANDS) for number in (0, 1)]


async def written(broker: FakeBroker, folder: Path) -> list[int]:
    writer = Writer(to_write(folder, VERIFIER, "t."), SIGNER)
    return [await writer.add(broker.reader(), source) for source in SOURCES]


async def everything(reader: ArchivedReader, source: TopicPartition) -> list[tuple[int, bytes | None, bytes | None, int]]:
    first, stop = (await reader.bounds([source]))[source]
    return [(m.offset, m.key, m.value, m.timestamp) async for batch in reader.read_range(source, first, stop) for m in batch]


async def test_it_holds_the_log_and_grows_by_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 2_000)  # several files
    broker, chain, folder = FakeBroker(), grown(), tmp_path / "archive"
    publish(broker, chain)
    first = await written(broker, folder)
    assert await written(broker, folder) == [0, 0, 0, 0]
    published = len(chain.steps)
    chain.add([1, 2, 3])
    publish(broker, chain, published)
    again = await written(broker, folder)
    found = Archive.open(folder, VERIFIER, "t.")
    assert found.check() == sum(first) + sum(again) and sum(again) > 0
    assert len(found.pieces) > 4
    for source in SOURCES[:2]:
        live = [(e.offset, e.key, e.value, e.timestamp) for e in broker.visible(source, 0, 1 << 60)]
        assert all(entry[3] for entry in live), "when the broker took each is kept too"
        broker.cut(source, 25)
        assert await everything(ArchivedReader(found, broker.reader()), source) == live
        assert await everything(ArchivedReader(Archive(folder, "t.", []), broker.reader()), source) == live[25:]


async def test_a_gap_between_archive_and_log_is_said(tmp_path: Path) -> None:
    broker, chain, folder = FakeBroker(), grown(4), tmp_path / "archive"
    publish(broker, chain)
    await written(broker, folder)
    published = len(chain.steps)
    for _ in range(5):
        chain.add([1, 2, 3, 4])
    publish(broker, chain, published)
    broker.cut(SOURCES[0], len(broker.logs[SOURCES[0]]) - 2)
    with pytest.raises(ArchiveError, match=r"the archive ends at \d+, the log begins at"):
        await written(broker, folder)
    reader = ArchivedReader(Archive.open(folder, VERIFIER, "t."), broker.reader())
    assert (await reader.bounds(SOURCES[:1]))[SOURCES[0]][0] > 0
    with pytest.raises(PositionLostError, match="neither the log nor the archive holds"):
        [batch async for batch in reader.read_range(SOURCES[0], 0, 5)]


def flipped(folder: Path) -> None:
    piece = next(iter(sorted(folder.rglob("*.avro"))))
    raw = bytearray(piece.read_bytes())
    raw[-20] ^= 1
    piece.write_bytes(raw)


def gone(folder: Path) -> None:
    next(iter(folder.rglob("*.avro"))).unlink()


def manifest(folder: Path, change: Callable[[dict], object]) -> None:
    said = json.loads((folder / MANIFEST).read_text())
    change(said)
    (folder / MANIFEST).write_text(json.dumps(said))


DAMAGES: dict[str, Callable[[Path], None]] = {
    "a byte of a file": flipped,
    "a file": gone,
    "fewer files named": partial(manifest, change=lambda said: said["files"].pop()),
    "another hash": partial(manifest, change=lambda said: said["files"][0].update(blake3="00" * 32)),
    "no signature": partial(manifest, change=lambda said: said.pop("signature")),
    "half a manifest": lambda folder: (folder / MANIFEST).write_text('{"format":'),  # type: ignore[dict-item, return-value]
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_what_was_altered_is_refused(tmp_path: Path, damage: str) -> None:
    broker, folder = FakeBroker(), tmp_path / "archive"
    publish(broker, grown(4))
    await written(broker, folder)
    DAMAGES[damage](folder)
    with pytest.raises(LogIntegrityError, match=r"altered|signature does not hold|cannot be read|manifest names it"):
        Archive.open(folder, VERIFIER, "t.").check()


async def test_what_is_read_is_what_was_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the file is overwritten between the two."""
    broker, folder = FakeBroker(), tmp_path / "archive"
    publish(broker, grown(4))
    await written(broker, folder)
    archive = Archive.open(folder, VERIFIER, "t.")
    honest = [list(archive._records(piece)) for piece in archive.pieces]
    decoding = module.fastavro.reader

    def late(file: object) -> object:
        for path in folder.rglob("*.avro"):
            path.write_bytes(forged)
        return decoding(file)

    forged = (folder / archive.pieces[-1].file).read_bytes()
    kept = {piece.file: (folder / piece.file).read_bytes() for piece in archive.pieces}
    monkeypatch.setattr(module.fastavro, "reader", late)
    for piece, records in zip(archive.pieces, honest, strict=True):
        for name, data in kept.items():
            (folder / name).write_bytes(data)
        assert list(archive._records(piece)) == records
    with pytest.raises(LogIntegrityError, match="altered"):
        list(archive._records(archive.pieces[0]))


async def test_archives_of_others_and_folders_that_are_none(tmp_path: Path) -> None:
    broker, folder = FakeBroker(), tmp_path / "archive"
    publish(broker, grown(3))
    await written(broker, folder)
    with pytest.raises(LogIntegrityError, match="the signature does not hold"):
        Archive.open(folder, Verifier([Signer(b"o" * 32).public]), "t.")
    with pytest.raises(ArchiveError, match=r"of the topics t\.\*, not of u\.\*"):
        Archive.open(folder, VERIFIER, "u.")
    with pytest.raises(ArchiveError, match="holds no archive"):
        Archive.open(tmp_path / "none", VERIFIER, "t.")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(ArchiveError, match="neither empty nor an archive"):
        to_write(tmp_path / "full", VERIFIER, "t.")


def job(broker: FakeBroker, tmp_path: Path) -> Job:
    return job_of(factory(Tally), broker, settings(tmp_path), verifier=VERIFIER, signer=SIGNER)


async def committed(broker: FakeBroker, agent: str, partition: int) -> dict[str, int | None]:
    return {p.topic: at for (group, p), at in broker.committed.items() if group == agent and p.partition == partition}


def counts(tmp_path: Path, partition: int) -> dict[bytes, int]:
    store = StateStore(state_path(tmp_path, "tally", partition))
    try:
        return {key[1:]: int(value) for key, value in store.scan(b"t")}
    finally:
        store.close()


def damage_state(tmp_path: Path) -> None:
    store = StateStore(state_path(tmp_path, "tally", 0))
    store.put(b"t" + bytes(20), b"7")
    store.commit({}, "tip")
    store.close()


@pytest.mark.parametrize("cut", [False, True])
async def test_state_is_rebuilt_from_the_log_or_from_an_archive_in_front_of_it(tmp_path: Path, cut: bool) -> None:
    broker, chain, folder = FakeBroker(), grown(), tmp_path / "archive"
    await worked(broker, chain, tmp_path, Tally)
    await written(broker, folder)
    damage_state(tmp_path)
    what = job(broker, tmp_path)
    if cut:
        for number in (0, 1):
            broker.cut(TopicPartition(topics.TRANSACTIONS, number), 20)
        with pytest.raises(PositionLostError, match="no longer in the log"):
            await rebuild(what, partial(committed, broker), 0)
        what = replace(what, client=ArchivedClient(Archive.open(folder, VERIFIER, "t."), broker))
    for number in (0, 1):
        built = await rebuild(what, partial(committed, broker), number)
        assert (built.block, built.agrees) == (chain.head.number, True)
        assert counts(tmp_path, number) == dict(expected_counts(chain, number))
    published = len(chain.steps)
    chain.undo(2)
    chain.add([1, 2], fork="later")
    publish(broker, chain, published)
    async with worker(broker, settings(tmp_path), [factory(Tally)], LIMITS) as task:
        await until(lambda: caught_up(broker, "tally"), task)
    check_tally(broker, chain)


async def test_a_log_that_gives_another_state_than_was_committed_is_said(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), grown()
    await worked(broker, chain, tmp_path)

    class Other(Tally):
        def state_digest(self) -> bytes:
            return bytes(32)

    other = replace(job(broker, tmp_path), factory=factory(Other))
    assert (await rebuild(other, partial(committed, broker), 0)).agrees is False


async def test_state_in_use_is_not_touched(tmp_path: Path) -> None:
    broker, chain = FakeBroker(), ChainLog()
    chain.add([1])
    publish(broker, chain)
    async with worker(broker, settings(tmp_path), [factory(Tally)], LIMITS) as task:
        await until(lambda: caught_up(broker, "tally"), task)
        with pytest.raises(RebuildError, match="tally/0 is in use"):
            await rebuild(job(broker, tmp_path), partial(committed, broker), 0)
    with pytest.raises(MonmouthError, match="keeps no state"):
        await rebuild(replace(job(broker, tmp_path), factory=factory(Copy)), partial(committed, broker), 0)
