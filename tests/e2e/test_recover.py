"""Five ways to restore what an agent remembers, on real contents: each ends in the published root, or restores nothing."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from connectors.stores import LmdbMemoryStore
from schemas.codec import codec
from streams import topics
from streams.cli.wiring import lane_of
from streams.core.presence import Fact
from streams.errors import LogIntegrityError
from streams.ports.log import TopicPartition
from streams.settings import Settings
from streams.upkeep.candidates import Candidate, RecoveryError, agreed, from_store, save
from streams.upkeep.pipeline import open_pipeline
from streams.upkeep.recover import THRESHOLD, Part, Recovered, Recovery, Replica, Strategy, Work, recover, recover_all
from streams.upkeep.standing import StandingLog
from tests.e2e.finished import Opened, fact_of, opened
from tests.e2e.pipeline import eventually, working
from tests.e2e.test_verify import overwritten

pytestmark = pytest.mark.kafka


async def lose(at: Opened) -> None:
    """The store loses a row, alters one, gains one; a vector is gone."""
    await at.memories.revert([at.fact])
    memory: Any = {**at.fact["memory"], "id": b"x" * 32}  # type: ignore[dict-item]
    await at.memories.apply([fact_of(memory, Fact(b"c" * 32))])
    await at.vectors.delete([at.key])


def recovery(at: Opened, **options: Any) -> Recovery:
    return Recovery(open_pipeline(at.settings), at.memories, at.vectors, at.secrets, lane_of(at.settings), **options)


@asynccontextmanager
async def replicas(at: Opened, folder: Path, *bad: int) -> AsyncIterator[list[Replica]]:
    """Three copies of the store; those numbered in ``bad`` have lost the row."""
    async with AsyncExitStack() as stack:
        found = []
        for number in range(3):
            shutil.copytree(at.settings.path(at.settings.memory.db_path), folder / str(number))
            store = LmdbMemoryStore(folder / str(number), 1 << 30)
            stack.push_async_callback(store.close)
            if number in bad:
                await store.revert([at.fact])
            found.append(Replica(f"replica {number}", store, age=60.0 * number))
        yield found


async def restored(at: Opened, strategy: Strategy, **options: Any) -> Recovered:
    found = await recover(recovery(at, **options), strategy, at.key[0], at.part)
    assert (await at.verify()).differences == []
    return found


async def test_full_from_the_log(finished: Settings, tmp_path: Path) -> None:
    async with opened(finished, tmp_path) as at:
        await lose(at)
        assert len((await at.verify()).differences) == 3
        found = await restored(at, Strategy.FULL)
        assert (found.source, found.put_in, found.taken_out, found.vectors) == ("log", 1, 1, 1)
        again = await restored(at, Strategy.FULL)
        assert (again.put_in, again.taken_out, again.vectors) == (0, 0, 0)
        assert again.memories == found.memories > 0


async def test_one_that_is_killed_half_way_is_made_good_by_the_next_worker(
    finished: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are out and not in again: nobody need run it a second time."""

    async def killed(*_: object) -> None:
        raise KeyboardInterrupt

    async with opened(finished, tmp_path) as at:
        await at.memories.revert([at.fact])
        altered: Any = {**at.fact["memory"], "content": b"what nobody said"}  # type: ignore[dict-item]
        (name,) = at.row.presence.upserts
        await at.memories.apply([fact_of(altered, name)])
        before = await rows_of(at)
        with monkeypatch.context() as cutting:
            cutting.setattr(LmdbMemoryStore, "apply", killed)
            with pytest.raises(KeyboardInterrupt):
                await recover(recovery(at), Strategy.FULL, at.key[0], at.part)
        assert await rows_of(at) == before - {at.key[1]}
    async with working(at.settings, ("memory",)):
        await eventually(lambda: missing(at, before), 20)
    async with opened(at.settings, tmp_path, in_place=True) as after:
        assert (await after.verify()).differences == []


async def rows_of(at: Opened) -> set[bytes]:
    return set((await from_store("the store", at.memories, at.key[0])).rows)


async def missing(at: Opened, rows: set[bytes]) -> list[str]:
    """Read as a gateway beside the worker reads."""
    async with opened(at.settings, Path(), in_place=True) as now:
        return [row.hex() for row in rows - await rows_of(now)]


async def test_partial_restores_its_part_alone(finished: Settings, tmp_path: Path) -> None:
    async with opened(finished, tmp_path) as at:
        await lose(at)
        context = recovery(at, parts=frozenset((Part.CONTEXT,)))
        assert (await recover(context, Strategy.PARTIAL, at.key[0], at.part)).vectors == 1
        assert {each.side for each in (await at.verify()).differences} == {"memory store"}
        await restored(at, Strategy.PARTIAL, parts=frozenset((Part.MEMORY,)))


async def test_partial_of_the_state_has_the_root_published_again(finished: Settings, tmp_path: Path) -> None:
    """The lattice agent does it, by a replay; here nobody runs, so that it is only asked."""
    async with opened(finished, tmp_path) as at:
        zero = {"agent": at.key[0], "count": 1, "lattice": bytes(2048), "block": None}
        zero |= {"checksum": bytes(32), "merkle_root": bytes(32)}
        state = recovery(at, parts=frozenset((Part.STATE,)))
        assert (await recover(state, Strategy.PARTIAL, at.key[0], at.part)).replay is None
        async with overwritten(at, topics.ROOTS, at.key[0], codec().encode("LatticeRoot", zero)):
            with pytest.raises(RecoveryError, match="log does not give the root that is published"):
                await recover(recovery(at), Strategy.FULL, at.key[0], at.part)
            found = await recover(state, Strategy.PARTIAL, at.key[0], at.part)
        assert found.replay is not None and set(found.replay.first) == {at.part}
        await forget_request(at)


async def forget_request(at: Opened) -> None:
    """So that other tests find no replay under way."""
    producer = open_pipeline(at.settings).client.producer("vandal", 0)
    await producer.start()
    await producer.begin()
    await producer.send({TopicPartition(topics.REPLAYS, at.part): [(f"lattice/{at.part}/request".encode(), None)]})
    await producer.commit()
    await producer.close()


async def saved(at: Opened, path: Path, *, half: bool = False, least: float = 0.0) -> Path:
    """A checkpoint of the agent as of the middle of the log, or of its end."""
    pipeline = open_pipeline(at.settings)
    reader = pipeline.client.reader()
    standing = StandingLog(pipeline, at.part)
    await standing.read(reader)
    if half:
        stop, standing = standing.position // 2, StandingLog(pipeline, at.part)
        await standing.read(reader, stop)
    await reader.close()
    save(path, standing, at.key[0], pipeline.signer, least)
    return path


@pytest.mark.parametrize("half", [True, False])
async def test_incremental_from_a_saved_checkpoint_and_the_log_since(finished: Settings, tmp_path: Path, half: bool) -> None:
    async with opened(finished, tmp_path) as at:
        await lose(at)
        base = await saved(at, tmp_path / "base", half=half)
        found = await restored(at, Strategy.INCREMENTAL, base=base)
        assert found.source.startswith("checkpoint")
        for change in ({"offset": 0}, {"facts": []}, {"signature": "00"}):
            said = json.loads(base.read_text()) | change
            (tmp_path / "forged").write_text(json.dumps(said))
            with pytest.raises(LogIntegrityError, match="the signature does not hold"):
                await recover(recovery(at, base=tmp_path / "forged"), Strategy.INCREMENTAL, at.key[0], at.part)
        for path, reason in ((None, "needs a checkpoint"), (tmp_path / "none", "there is no file")):
            with pytest.raises(RecoveryError, match=reason):
                await recover(recovery(at, base=path), Strategy.INCREMENTAL, at.key[0], at.part)


async def test_incremental_from_a_checkpoint_that_left_lesser_memories_out(finished: Settings, tmp_path: Path) -> None:
    """They come from the store; where it lost one of them, nothing is restored."""
    async with opened(finished, tmp_path) as at:
        await lose(at)
        assert at.row.memory is not None
        importance = at.row.memory["importance"]
        lesser = recovery(at, base=await saved(at, tmp_path / "lesser", least=math.nextafter(importance, 2)))
        with pytest.raises(RecoveryError, match=f"memory {at.key[1].hex()} is neither in"):
            await recover(lesser, Strategy.INCREMENTAL, at.key[0], at.part)
        base = await saved(at, tmp_path / "base", least=importance)
        assert (await restored(at, Strategy.INCREMENTAL, base=base)).put_in == 1


@pytest.mark.parametrize(
    ("bad", "threshold", "refused"),
    [((), THRESHOLD, ""), ((2,), THRESHOLD, ""),
     ((2,), Fraction("0.67"), "no consensus: 2 of 3 agree, 67/100 of them are needed"),
     ((0, 1), THRESHOLD, "does not give the root that is published")],
)  # fmt: skip
async def test_consensus_of_replicas(
    finished: Settings, tmp_path: Path, bad: Sequence[int], threshold: Fraction, refused: str
) -> None:
    async with opened(finished, tmp_path) as at, replicas(at, tmp_path / "replicas", *bad) as copies:
        await lose(at)
        if refused:
            with pytest.raises(RecoveryError, match=refused):
                await recover(recovery(at, replicas=copies, threshold=threshold), Strategy.CONSENSUS, at.key[0], at.part)
            assert len((await at.verify()).differences) == 3
            return
        found = await restored(at, Strategy.CONSENSUS, replicas=copies, threshold=threshold)
        assert found.source.startswith("replica")
        with pytest.raises(RecoveryError, match="two replicas at least"):
            await recover(recovery(at, replicas=copies[:1]), Strategy.CONSENSUS, at.key[0], at.part)


@pytest.mark.parametrize(("bad", "source"), [((0,), "replica 1"), ((), "replica 0"), ((0, 1, 2), "log")])
async def test_scored_takes_the_best_replica_or_falls_back_to_the_log(
    finished: Settings, tmp_path: Path, bad: Sequence[int], source: str
) -> None:
    async with opened(finished, tmp_path) as at, replicas(at, tmp_path / "replicas", *bad) as copies:
        await lose(at)
        assert (await restored(at, Strategy.SCORED, replicas=copies)).source == source


def test_quality_is_the_documented_sum() -> None:
    rows: Any = {b"m": type("Row", (), {"memory": {"content": bytes(1 << 19)}})()}
    assert Candidate("c", rows, age=21_600).quality(valid=True) == pytest.approx(0.5 + 0.3 * 0.75 + 0.2 * 0.5)
    assert Candidate("c", rows, age=1e9).quality(valid=False) == pytest.approx(0.1)
    with pytest.raises(RecoveryError, match="0 of 0"):
        agreed([], lambda agent: agent, THRESHOLD)


async def test_no_more_at_a_time_than_allowed_and_none_for_longer(
    finished: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = most = 0

    async def slow(asked: Recovery, strategy: Strategy, agent: bytes, work: Work) -> Recovered:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await asyncio.sleep(60 if agent == b"slow" else 0.01)
        finally:
            running -= 1
        return Recovered(agent, "log", 0, 0, 0, 0)

    monkeypatch.setattr("streams.upkeep.recover.recover_one", slow)
    async with opened(finished, tmp_path) as at:
        asked = recovery(at)
        agents = [(b"%d" % n, n) for n in range(12)]
        found = await recover_all(asked, Strategy.FULL, agents, concurrent=5)
        assert [each.agent for each in found if isinstance(each, Recovered)] == [name for name, _ in agents]
        assert most == 5
        most = 0
        await recover_all(asked, Strategy.FULL, [(name, 0) for name, _ in agents])  # of one partition: one after another
        assert most == 1
        (late, fine) = await recover_all(asked, Strategy.FULL, [(b"slow", 0), (b"fast", 1)], seconds=0.5)
    assert isinstance(late, RecoveryError) and "no progress for 0.5 s" in late.message
    assert isinstance(fine, Recovered)
