"""One run: the world of a seed, its processes and its troubles, then calm, then what must be true.

Phases: for ``seconds`` the chain moves while faults happen; then faults end, the chain grows past every height it had, and all
must come to rest; then everything stops in order, and the invariants are checked. An error that ends a process which no fault
explains is a failure of the run.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from blake3 import blake3

from schemas.codec import codec
from schemas.records import MemoryCommand
from streams import topics
from streams.core.block import BlockRef
from streams.core.replay import Phase, Replay
from streams.errors import FencedError, SourceError
from streams.ports.log import TopicPartition
from streams.producer.follow import ChainMismatchError
from streams.producer.kafka_log import LogUnavailableError
from streams.producer.log import UncertainWriteError
from streams.producer.loop import BlockProducer
from streams.producer.records import Stager
from streams.runtime.job import Limits
from streams.runtime.worker import run_worker
from streams.settings import Settings, load_settings
from tests.chainlog import CHAIN_ID, SIGNER, address, partition_of
from tests.sim.agents import Canonical, Cast, cast_of
from tests.sim.beside import with_beside
from tests.sim.broker import Broker
from tests.sim.chainlog import SimChainLog
from tests.sim.client import SimClient, SimCluster
from tests.sim.invariants import (
    Watch,
    false_finals,
    false_undos,
    letter_faults,
    lost_finals,
    producer_faults,
    replays_left,
)
from tests.sim.miner import Miner
from tests.sim.node import AGENTS, SimNode, command
from tests.sim.parameters import Parameters
from tests.sim.process import Process, ProcessDied, outside
from tests.sim.source import SimSource
from tests.sim.store import SimMemoryStore
from tests.sim.virtual import StalledError, run_virtual
from tests.sim.wall import WallClock
from tests.toys import POISON

REST_SECONDS = 2_000.0
PREFIX = "sim."


@dataclass
class Result:
    """``digest``: of every event in order. ``points``: places where a process could have crashed; ``places``: their kinds.

    ``cpu``: seconds of processor time it took.
    """

    failures: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    digest: str = ""
    points: int = 0
    places: set[str] = field(default_factory=set)
    crashes: int = 0
    notifications: int = 0
    undone: int = 0
    below_final: int = 0
    letters: int = 0
    replays: int = 0
    seconds: float = 0.0
    cpu: float = 0.0


class World:
    """``crash_at``: number of the one point of I/O at which a process crashes; None: by chance, as ``crash_rate`` says.

    ``broker``, ``cast``: other parts than the usual ones, such as broken ones that must be caught.
    """

    def __init__(
        self,
        seed: int,
        parameters: Parameters,
        folder: Path,
        *,
        crash_at: int | None = None,
        trace: bool = False,
        broker: type[Broker] = Broker,
        cast: Callable[[str, SimMemoryStore], Cast] = cast_of,
    ) -> None:
        self.parameters = parameters
        self.random = Random(f"{seed}/world")
        self._fate = Random(f"{seed}/crashes")  # of its own: a run up to a chosen crash is the run without one
        self.clock = WallClock(Random(f"{seed}/clock"), parameters.clock_jumps)
        self.result = Result()
        self._folder = folder
        self._make_broker, self._make_cast = broker, cast
        self._crash_at = crash_at
        self._trace = trace
        self._hash = blake3()
        self._calm = False
        self._processes: list[Process] = []
        self._commands: list[MemoryCommand] = []
        self._replays = 0
        self._common = load_settings()
        self._registered = frozenset({address(AGENTS), address(0)})

    # The environment of a process.
    def note(self, who: str, what: str) -> None:
        event = f"{asyncio.get_running_loop().time():.6f} {who}: {what}"
        self._hash.update(event.encode())
        if self._trace:
            self.result.events.append(event)

    def crashes(self, process: Process, point: str) -> bool:
        self.result.points += 1
        self.result.places.add(f"{process.kind}: {point.split('/', maxsplit=1)[0].split(' ', maxsplit=1)[0]}")
        if self._crash_at is not None:
            hit = self.result.points == self._crash_at
        else:
            hit = not self._calm and self._fate.random() < self.parameters.crash_rate
        self.result.crashes += hit
        return hit

    def disk_fails(self) -> bool:
        return self.cluster.faults.hit(self.parameters.disk_errors)

    def latency(self) -> float:
        seconds = self.random.random() * self.parameters.latency
        if not self._calm and self.random.random() < self.parameters.spikes:
            seconds += self.random.random() * 5
        return seconds

    # The run.
    def run(self) -> Result:
        """Runs it all in virtual time."""
        began = time.process_time()
        try:
            with _quiet(), self.clock.on_the_wall():
                run_virtual(self._main)
        except StalledError as error:
            self.result.failures.append(f"stalled: {error}")
        self.result.digest = self._hash.hexdigest()
        self.result.cpu = time.process_time() - began
        return self.result

    async def _main(self) -> None:
        parameters, loop = self.parameters, asyncio.get_running_loop()
        loop.set_exception_handler(self._stray)
        self.node = SimNode(parameters, self.random)
        self.broker = self._make_broker(parameters, self.random, self.note)
        self.cluster = SimCluster(self.broker)
        self.store = SimMemoryStore(parameters, self.cluster.faults)
        self.cast: Cast = self._make_cast(parameters.agents, self.store)
        if parameters.agents == "memory" and parameters.beside != "none":
            self.cast = with_beside(self.cast, parameters.beside)
        self.watch = Watch(self.broker, (topics.TRANSACTIONS, *self.cast.logs), loop.time)
        self.ring = asyncio.Condition()
        self._stops: dict[str, Callable[[], None]] = {}
        self._retired: set[str] = set()
        supervisors = [
            *(outside(self._supervise(f"producer{n}", self._producer)) for n in range(parameters.producers)),
            *(outside(self._supervise(f"worker{n}", self._worker)) for n in range(parameters.workers)),
        ]
        troubles = [outside(self._mine()), outside(self._ask()), outside(self._trouble())]
        try:
            await asyncio.sleep(parameters.seconds)
            await self._come_to_rest(troubles)
            await self._stop(supervisors)
        finally:
            self.result.seconds = loop.time()
        self._check()

    def _stray(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        error = context.get("exception")
        if isinstance(error, ProcessDied | asyncio.CancelledError):
            return
        if not any(process.dead for process in self._processes):
            self.result.failures.append(f"stray error: {context.get('message')}: {error!r}")

    # Processes.
    async def _supervise(self, name: str, main: Callable[[Process], object]) -> None:
        """Starts a process again whenever it ends, until it is retired."""
        while name not in self._retired:
            process = Process(name, self)
            self._processes.append(process)
            self.note(name, "starts")
            task = process.spawn(main(process))  # type: ignore[arg-type]
            await asyncio.wait([task])
            error = None if task.cancelled() else task.exception()
            process.kill()
            await process.gone()
            self._processes.remove(process)
            self._judge(name, error)
            self._lose_disk(name)
            pause = 20.0 if isinstance(error, FencedError) else self.random.random() * self.parameters.restart_seconds
            if name not in self._retired:
                await asyncio.sleep(pause)

    def _judge(self, name: str, error: BaseException | None) -> None:
        """Ends that a fault explains are fine."""
        self.note(name, f"ended: {type(error).__name__ if error else 'well'}")
        if error is None or isinstance(error, ProcessDied | asyncio.CancelledError):
            return
        if name.startswith("producer") and self._explained(error):
            return
        if len(self.result.failures) < 5:
            self.result.failures.append(f"{name} ended: {type(error).__name__}: {error}")

    def _explained(self, error: BaseException) -> bool:
        """Ends of a producer by design: overtaken, a node that does not know what it must, a start that never worked."""
        parameters = self.parameters
        return (
            isinstance(error, FencedError)
            or (isinstance(error, ChainMismatchError) and parameters.forgets > 0 and not self._calm)
            or (isinstance(error, SourceError) and parameters.source_errors > 0)
            or (
                isinstance(error, UncertainWriteError | LogUnavailableError)
                and parameters.broker_errors + parameters.outage_rate > 0
            )
        )

    def _lose_disk(self, name: str) -> None:
        lost = not self._calm and name.startswith("worker") and self.random.random() < self.parameters.lose_disk
        if lost and not self.parameters.shared_disk:
            self.note(name, "lost its disk")
            shutil.rmtree(self._disk(name), ignore_errors=True)

    def _disk(self, name: str) -> Path:
        return self._folder / ("shared" if self.parameters.shared_disk else name)

    def _settings(self, name: str) -> Settings:
        parameters = self.parameters
        found = self._common.model_copy(deep=True)
        found.state_dir = self._disk(name)
        found.kafka.prefix, found.kafka.partitions = PREFIX, parameters.partitions
        found.kafka.session_timeout_ms = int(parameters.session_timeout * 1000)
        found.worker.standby = parameters.standby
        found.reorg.window, found.memory.checkpoint_blocks = parameters.window, parameters.interval
        found.memory.checkpoint_interval = 5 * parameters.interval
        found.chain.finality_depth = 100_000 if parameters.finality == "none" else parameters.finality_depth
        found.chain.batch_blocks = parameters.batch_blocks
        found.chain.rewind_confirmations = parameters.confirmations
        found.chain.poll_interval = parameters.poll_interval
        return found

    async def _worker(self, process: Process) -> None:
        parameters, stop = self.parameters, asyncio.Event()
        self._stops[process.name] = stop.set
        limits = Limits(
            poll_ms=1_000,
            poll_records=parameters.poll_records,
            rewind_span=parameters.rewind_span,
            state_bytes=parameters.state_bytes,
            state_seconds=parameters.state_seconds,
            replay_seconds=2.0,
            replay_blocks=parameters.replay_blocks,
        )
        client = SimClient(self.cluster, process)
        settings = self._settings(process.name)
        await run_worker(settings, self.cast.factories(), self.broker.verifier, SIGNER, stop, client=client, limits=limits)

    async def _producer(self, process: Process) -> None:
        source = SimSource(self.node, process, self.parameters, self.cluster.faults, self.ring)
        chain_log = SimChainLog(self.cluster, process, self.parameters.keep)
        stager = Stager(CHAIN_ID, self.parameters.partitions, SIGNER, self._registered)
        producer = BlockProducer(source, chain_log, stager, self._settings(process.name).chain, CHAIN_ID)
        self._stops[process.name] = producer.stop
        await producer.run()

    # Troubles.
    async def _mine(self) -> None:
        miner = Miner(self.node, self.parameters, self.random)
        while True:
            await asyncio.sleep(self.random.expovariate(1 / self.parameters.block_seconds))
            self.note("node", miner.move())
            await self._hint()

    async def _hint(self) -> None:
        async with self.ring:
            self.ring.notify_all()

    async def _ask(self) -> None:
        """Commands to agents, as a gateway writes them; some come again later, some are wrong."""
        while self.parameters.commands:
            await asyncio.sleep(self.random.expovariate(self.parameters.commands))
            agent = address(self.random.randrange(AGENTS))
            record = command(agent, len(self._commands), self.random, self.node.memory_of(agent))
            if self.cluster.faults.hit(self.parameters.command_poison):
                self._write_command(agent, self._poisoned(record))
                continue
            if self._commands and self.cluster.faults.hit(self.parameters.command_copies):
                record = self.random.choice(self._commands[-5:])
            self._commands.append(record)
            self._write_command(record["agent"], codec().encode("MemoryCommand", record))

    def _poisoned(self, record: MemoryCommand) -> bytes:
        """A command that can never be carried out, or bytes that are no record."""
        refused = {**record, "op": "STORE", "memory_id": None, "type": "WORKING", "content": POISON, "importance": 2.0}
        return self.random.choice([codec().encode("MemoryCommand", refused), self.random.randbytes(20)])

    def _write_command(self, agent: bytes, value: bytes) -> None:
        target = TopicPartition(topics.COMMANDS, partition_of(agent, self.parameters.partitions))
        self.broker.append(target, [(agent, value)])

    async def _trouble(self) -> None:
        """Kills, pauses, outages, rebalances, compaction, session timeouts, clocks: in steps of a quarter of a second."""
        parameters, step = self.parameters, 0.25
        while True:
            await asyncio.sleep(step)
            for process in list(self._processes):
                if self._due(parameters.kill_rate * step):
                    self.note(process.name, "kill -9")
                    process.kill()
                elif process.paused_since is None and self._due(parameters.pause_rate * step):
                    outside(self._pause(process))
                elif process.cut_since is None and self._due(parameters.outage_rate * step):
                    outside(self._cut(process))
            for group in list(self.cluster.groups.values()):
                group.check_sessions()
                if self._due(parameters.rebalance_rate * step):
                    group.rebalance()
            self.clock.pass_by(step)
            if self._due(parameters.replay_rate * step):
                self._ask_replay()
            if self._due(parameters.compaction_rate * step):
                self.note("broker", "compacts")
                self.broker.compact()

    def _ask_replay(self) -> None:
        """Of any stream agent, in one partition, from any block there is or is not; one at a time, as the command does it."""
        if any(replays_left(self.broker, self.cast.groups, self.parameters.partitions)):
            return
        spec = self.random.choice(self.cast.groups)
        number = self.random.randrange(self.parameters.partitions)
        block = self.random.randint(0, self.node.head.number + 1)
        self._replays += 1
        request = Replay(spec.name, number, str(self._replays), Phase.REQUESTED, block)
        self.note("operator", f"replay {request.id} of {spec.name}/{number} from {block}")
        value = codec().encode("Replay", request.record())
        self.broker.append(TopicPartition(topics.REPLAYS, number), [(request.key, value)])

    def _due(self, chance: float) -> bool:
        return not self._calm and chance > 0 and self.random.random() < chance

    async def _pause(self, process: Process) -> None:
        self.note(process.name, "SIGSTOP")
        process.pause()
        await asyncio.sleep(self.random.random() * self.parameters.pause_seconds)
        self.note(process.name, "SIGCONT")
        process.resume()

    async def _cut(self, process: Process) -> None:
        self.note(process.name, "is cut off")
        process.cut()
        await asyncio.sleep(self.random.random() * self.parameters.outage_seconds)
        self.note(process.name, "is back")
        process.join()

    # The end.
    async def _come_to_rest(self, troubles: list[asyncio.Task[None]]) -> None:
        """No more faults; the chain outgrows all it was; then waits until everything was taken in."""
        for task in troubles[:2]:
            task.cancel()
        self._calm, self.cluster.faults.on = True, False
        self.note("world", "calm")
        for number in range(1, self.parameters.producers):
            await self._retire(f"producer{number}")
        highest = max(block.ref.number for block in self.node.known.values())
        self.node.extend(highest + 1 - self.node.head.number)
        await self._hint()
        deadline = asyncio.get_running_loop().time() + REST_SECONDS
        while not self._at_rest():
            if asyncio.get_running_loop().time() > deadline or self.result.failures or self.watch.faults:
                raise StalledError(f"not at rest after {REST_SECONDS} s: {self._unrest()}")
            await asyncio.sleep(0.5)

    async def _retire(self, name: str) -> None:
        self._retired.add(name)
        for process in list(self._processes):
            if process.name == name:
                process.kill()
                await process.gone()

    def _at_rest(self) -> bool:
        return not self._unrest()

    def _unrest(self) -> str:
        notified = self.watch.notified
        if not notified or BlockRef.of(notified[-1][1]["head"]) != self.node.head:
            return f"the log is at {notified[-1][1]['head']['number'] if notified else None}, the node at {self.node.head}"
        if any(transaction.outcome is not None for transaction in self.broker.open.values()):
            return "transactions become visible"
        for spec in self.cast.groups:
            for topic in spec.inputs:
                for number in range(self.parameters.partitions):
                    target = TopicPartition(topic, number)
                    log = self.broker.log(target)
                    last = max((entry.offset for entry in log.visible(0, len(log.entries))), default=-1)
                    if self.broker.committed.get((spec.name, target), 0) <= last:
                        return f"{spec.name} has not taken in {topic}/{number}@{last}"
        return next(replays_left(self.broker, self.cast.groups, self.parameters.partitions), "")

    async def _stop(self, supervisors: list[asyncio.Task[None]]) -> None:
        """SIGTERM to all: they must end well."""
        self._retired |= {process.name for process in self._processes} | set(self._stops)
        for process in self._processes:
            self._stops[process.name]()
        _, left = await asyncio.wait(supervisors, timeout=300)
        if left:
            self.result.failures.append(f"{len(left)} processes do not stop")

    def _check(self) -> None:
        parameters, found = self.parameters, self.result
        canonical = Canonical.of(self.node.branch, parameters.partitions, self._registered, self._commands)
        found.notifications = len(self.watch.notified)
        found.undone = sum(len(record["removed"]) for _, record in self.watch.notified)
        found.below_final = len(list(lost_finals(self.watch)))
        found.replays = self._replays
        found.letters = len(self.broker.read(topics.DLQ, 0))
        found.failures += self.watch.faults
        found.failures += producer_faults(self.watch, self.broker, canonical)
        found.failures += false_undos(self.watch, self.node.answers, self._ref, parameters.confirmations)
        found.failures += false_finals(self.watch, self.node.called_final)
        if not (parameters.below_finality or parameters.wrong_tag):
            found.failures += lost_finals(self.watch)
        found.failures += self.cast.check(self.broker, canonical)
        found.failures += letter_faults(self.broker, canonical, self.cast.groups, PREFIX)

    def _ref(self, block_hash: bytes) -> BlockRef:
        return self.node.known[block_hash].ref


@contextmanager
def _quiet() -> Iterator[None]:
    """What is logged on the way is no news here."""
    log = logging.getLogger("streams")
    level, log.level = log.level, logging.CRITICAL + 1
    log.manager._clear_cache()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        log.setLevel(level)
