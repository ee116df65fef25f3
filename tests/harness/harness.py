"""The harness: an environment that is set up once, the tests that run on it in turn, their report.

Invariants: a test that fails is a result and the next one runs; ``cleanup`` ends all that was started, also after a failed
set-up; a report says what was run, never what was not.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self

from rich.console import Console

from connectors.chain.devchain import DevChain
from streams.cli.demo.course import Course, PartResult
from streams.cli.demo.report import markdown
from streams.cli.demo.system import System, deployed
from streams.errors import ConfigurationError
from streams.settings import Settings, load_settings
from tests.harness.cases import CASES, Bench, Case

BLOCKS = 12
"""Of the chain before the first test."""
SEED = 3
FINALITY_DEPTH = 64
FEWEST_AGENTS = 5
"""That the largest test names."""


@dataclass(frozen=True, slots=True)
class IntegrationTestConfig:
    """``timeout``: seconds that a test may take. ``transactions``: about how many the chain holds before the first test.

    ``cache_mb``: of the gateway. ``monitoring``: whether metrics, alerts and health are tested; ``errors``: whether processes
    are killed too. ``workers``: processes.
    """

    timeout: float = 30.0
    agents: int = 10
    transactions: int = 100
    cache_mb: int = 1
    monitoring: bool = True
    errors: bool = False
    workers: int = 1

    def __post_init__(self) -> None:
        """Raises ConfigurationError for a system that the tests do not fit in."""
        if self.agents < FEWEST_AGENTS:
            raise ConfigurationError(f"the tests need {FEWEST_AGENTS} agents at least, not {self.agents}")
        if self.transactions < 1 or self.timeout <= 0 or self.workers < 1:
            raise ConfigurationError("transactions, timeout and workers are more than 0")

    @classmethod
    def default(cls) -> Self:
        """What is run where nothing else is said."""
        return cls()


class CrossExExTestHarness:
    """``settings``: of the installation; their topics, ports and folder are the harness's own. ``external_kafka``: use the
    broker they name instead of one that ends with the harness. ``system``: run on this one, that somebody else ends.
    """

    def __init__(
        self,
        config: IntegrationTestConfig | None = None,
        settings: Settings | None = None,
        *,
        external_kafka: bool = False,
        system: System | None = None,
        console: Console | None = None,
        cases: Sequence[tuple[str, Case]] = CASES,
    ) -> None:
        self.config = config or IntegrationTestConfig.default()
        self._settings = settings or load_settings()
        self._external = external_kafka
        self._console = console or Console()
        self._cases = dict(cases)
        self._stack = AsyncExitStack()
        self._system = system
        self._course = Course(self._console, len(cases), self.config.timeout)

    @classmethod
    def new(cls, config: IntegrationTestConfig | None = None) -> Self:
        """A harness on the installation's settings."""
        return cls(config)

    @property
    def results(self) -> list[PartResult]:
        """Of the tests that have run."""
        return self._course.results

    @property
    def passed(self) -> bool:
        """Whether all tests have run, and none failed."""
        return self._course.passed

    async def setup_test_environment(self) -> System:
        """Starts everything and waits until it rests. Raises MonmouthError; what was started is gone then."""
        if self._system is not None:
            return self._system
        base = self._settings.model_copy(deep=True)
        base.cache.size_mb = self.config.cache_mb
        per_block = max(1, self.config.transactions // BLOCKS)
        chain = DevChain(SEED, agents=self.config.agents, transactions=per_block, finality_depth=FINALITY_DEPTH)
        try:
            self._system = await self._stack.enter_async_context(
                deployed(base, chain, workers=self.config.workers, external_kafka=self._external, say=self._console.print)
            )
            self._system.advance(BLOCKS)
            await self._system.settle()
        except BaseException:
            await self.cleanup()
            raise
        return self._system

    async def run_integration_tests(self) -> list[PartResult]:
        """All of them, in their order. Raises ChildError if a process of the pipeline is lost."""
        for name in self._cases:
            await self.run_test(name)
        return self.results

    async def run_test(self, name: str) -> PartResult:
        """One of them."""
        assert self._system is not None, "setup_test_environment first"
        bench = Bench(self._system, self.config.errors, self.config.monitoring)
        case = self._cases[name]
        return await self._course.run(name, lambda: case(bench))

    def generate_test_report(self) -> str:
        """Summary, averages, details, in Markdown."""
        config = self.config
        facts = {
            "agents": str(config.agents),
            "transactions at the start": str(config.transactions),
            "workers": str(config.workers),
            "partitions": str(self._settings.kafka.partitions),
            "cache": f"{config.cache_mb} MiB",
            "tests that ran": f"{len(self.results)} of {len(self._cases)}",
            "processes killed": "yes" if config.errors else "no",
        }
        return markdown("Integration tests", facts, self.results)

    async def cleanup(self) -> None:
        """Ends all that was started; safe to call twice."""
        self._system = None
        await self._stack.aclose()
