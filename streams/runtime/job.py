"""What a worker runs: one stream agent with everything its partitions share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from streams.agents.base import LocalState, StreamAgent
from streams.core.batching import Batching
from streams.core.checkpoint import SlotPolicy
from streams.core.deferral import PAUSES
from streams.core.record import MARKER, Record
from streams.ports.log import LogClient
from streams.runtime.advance import Advances
from streams.settings import Settings
from streams.signing import Signer, Verifier
from streams.switches import FILE, Switches, hold


@dataclass(frozen=True, slots=True)
class AgentFactory:
    """``spec``: the class, for its name and topics. ``make``: an instance for one partition; called again after any failure.

    ``claim``: takes a partition's outside stores over for the instance ``make`` gives next, so that a former owner who wakes up
    writes nothing there. Called when the log has fenced that owner and before committed offsets are read, since what it
    wrote until then is done again from there. It gives the identity of these stores (empty: not known): local state kept beside
    others is dropped, so that stores which were lost or made anew are filled from the beginning of the log.
    ``poll_records``: most records of one poll where work on each is slow, so that transactions, stops and rebalances are quick.
    ``follow``: an instance for a standby, while another worker owns the partition. Needed where outside stores are shared with
    that owner, and must write nothing there. Where all stores lie in this worker's own state folder, ``claim`` and ``make``
    serve a standby too, which then fills them as an owner would.
    ``probe``: asks the outside stores for something, for readiness; raises if they do not answer.
    """

    spec: type[StreamAgent]
    make: Callable[[int, LocalState], StreamAgent]
    poll_records: int | None = None
    claim: Callable[[int], Awaitable[bytes]] | None = None
    follow: Callable[[int, LocalState], StreamAgent] | None = None
    probe: Callable[[], Awaitable[object]] | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on memory and time.

    ``poll_records``: most records in hand, of all partitions, and less than twice as many where partitions came and those held
    before are still at a batch; ``poll_seconds``, ``poll_least``, ``poll_share``: what a
    transaction should take, least records of one, and most of the time that fixed costs may take (see ``batching``).
    ``poll_ms``: longest wait for records. ``rewind_span``: offsets read back in one pass.
    ``state_bytes``/``state_seconds``: changes of local state kept in memory before they are written; the log covers them.
    ``held_writes``: most writes to outside stores kept in memory while old work is done again (see ``early``).
    ``retry_seconds``: first and longest pause before a partition that failed is opened again.
    ``standby_seconds``: between two looks of a standby at what was committed; ``standby_rest``: how long it rests for each
    second it works, so that live work goes first.
    ``replay_seconds``: between two looks for requests of a replay; ``replay_blocks``, ``replay_records``: most taken back in
    one transaction. ``survey_blocks``: most live blocks that are held while old ones are looked for in the log, about 600 bytes
    each.
    ``pauses``: seconds that records wait which are tried again, by retry topic.
    """

    poll_records: int = 16_000
    poll_seconds: float = 1.0
    poll_least: int = 1
    poll_share: float = 1.0
    poll_ms: int = 200
    rewind_span: int = 20_000
    state_bytes: int = 32 * 1024 * 1024
    state_seconds: float = 0.5
    held_writes: int = 10_000
    retry_seconds: tuple[float, float] = (0.2, 10.0)
    standby_seconds: float = 1.0
    standby_rest: float = 1.0
    replay_seconds: float = 1.0
    replay_blocks: int = 4_000
    replay_records: int = 20_000
    pauses: tuple[float, ...] = PAUSES
    survey_blocks: int = 1 << 17

    def batching(self, partitions: int) -> Batching:
        """Of one of so many partitions, of which nothing is known yet."""
        most = max(1, self.poll_records // partitions)
        return Batching(most, min(self.poll_least, most), self.poll_seconds, self.poll_share)


@dataclass(frozen=True, slots=True)
class Job:
    """``fence_seconds``: how long a fenced partition waits for the group to take it away before it is claimed again.

    ``switches``: those of the state folder, which hold partitions that are to be left alone.
    ``advances``: how far partitions that are opened have come; None where nobody watches that, as for a standby.
    ``standby``: how many partitions there are for this worker to follow where it does not own them; 0 if it follows none.
    """

    factory: AgentFactory
    client: LogClient
    verifier: Verifier
    signer: Signer
    policy: SlotPolicy
    prefix: str
    state_dir: Path
    fence_seconds: float
    limits: Limits = Limits()
    standby: int = 0
    switches: Switches | None = None
    advances: Advances | None = None

    def advanced(self, partition: int, records: int) -> None:
        """So many more records were worked on to open ``partition``, or to rewind it."""
        if self.advances is not None:
            self.advances.step(partition, records)

    def held(self, partition: int) -> str:
        """Why the partition is to be left alone; empty if it is not."""
        switch = None if self.switches is None else self.switches.on(hold(self.name, partition))
        return "" if switch is None else switch.why or "held"

    @property
    def spec(self) -> type[StreamAgent]:
        return self.factory.spec

    @property
    def name(self) -> str:
        return self.factory.spec.name

    @property
    def marked(self) -> str:
        """The input that carries the markers."""
        return self.factory.spec.inputs[0]

    def verify(self, record: Record) -> None:
        """Raises LogIntegrityError unless a trusted key signed this marker."""
        self.verifier.verify(MARKER, record.value, record.raw)


def job_of(
    factory: AgentFactory,
    client: LogClient,
    settings: Settings,
    *,
    verifier: Verifier,
    signer: Signer,
    limits: Limits | None = None,
) -> Job:
    """The job of one stream agent under ``settings``."""
    worker = settings.worker
    chosen = limits or Limits(
        poll_records=worker.poll_records,
        poll_seconds=worker.poll_seconds,
        poll_share=worker.poll_share,
        state_bytes=worker.state_mib << 20,
        state_seconds=worker.state_seconds,
    )
    return Job(
        factory=factory,
        client=client,
        verifier=verifier,
        signer=signer,
        policy=SlotPolicy(settings.reorg.window, settings.memory.checkpoint_blocks, settings.memory.checkpoint_interval),
        prefix=settings.kafka.prefix,
        state_dir=settings.state_dir,
        fence_seconds=settings.kafka.session_timeout_ms / 1000,
        limits=replace(chosen, poll_records=min(chosen.poll_records, factory.poll_records or chosen.poll_records)),
        switches=Switches(settings.path(FILE)),
        standby=settings.kafka.partitions if settings.worker.standby and factory.spec.keeps_state else 0,
    )
