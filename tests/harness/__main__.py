"""Ten integration tests on one whole pipeline, with a report in Markdown. Exit code 0 only if all pass.

    .venv/bin/python -m tests.harness [--report FILE] [--errors] [--agents 10] [--transactions 100]

Starts a broker, a development chain, workers and the gateway, in the state folder (MONMOUTH_STATE_DIR), and ends them.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from streams.cli.demo.report import write
from streams.errors import MonmouthError
from streams.settings import load_settings
from tests.harness.harness import CrossExExTestHarness, IntegrationTestConfig

FAILED = 1
INTERRUPTED = 130


async def run(harness: CrossExExTestHarness, report: Path | None) -> int:
    """Exit code. The report is written whatever happens once the environment stands. Raises MonmouthError."""
    await harness.setup_test_environment()
    try:
        await harness.run_integration_tests()
    finally:
        await harness.cleanup()
        if report is not None:
            write(report, harness.generate_test_report())
    return 0 if harness.passed else FAILED


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code."""
    default = IntegrationTestConfig.default()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--report", type=Path, help="write the report to this file")
    parser.add_argument("--errors", action="store_true", help="also kill processes")
    parser.add_argument("--agents", type=int, default=default.agents)
    parser.add_argument("--transactions", type=int, default=default.transactions)
    parser.add_argument("--timeout", type=float, default=default.timeout, help="seconds that a test may take")
    parser.add_argument("--bootstrap", help="use this Kafka instead of a broker of its own")
    said = parser.parse_args(arguments)
    try:
        config = IntegrationTestConfig(said.timeout, said.agents, said.transactions, errors=said.errors)
    except MonmouthError as error:
        parser.error(error.message)
    settings = load_settings()
    if said.bootstrap:
        settings.kafka.bootstrap = said.bootstrap
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # ends like Ctrl-C
    try:
        harness = CrossExExTestHarness(config, settings, external_kafka=bool(said.bootstrap))
        return asyncio.run(run(harness, said.report))
    except MonmouthError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
