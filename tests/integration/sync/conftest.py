"""Two deployments of one chain: each with a broker, keys, stores and a node of its own, and another number of partitions."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from click.testing import CliRunner

from connectors.chain.devchain import DevChain, DevNode, Step
from connectors.chain.devchain.steps import StepKind
from infra.broker import LocalBroker
from infra.topics import apply
from streams.cli import cli
from streams.identity.operator import load_or_create_token
from streams.serving.sync.partner import MovedError, PartnerError, over_http
from streams.settings import KafkaSettings, Settings
from tests.broker_fixtures import PROPERTIES
from tests.conftest import ROOT
from tests.e2e.processes import environment

BLOCKS = 24
PATIENCE = 90.0


@dataclass
class Side:
    """One deployment."""

    name: str
    settings: Settings
    node: DevNode
    process: subprocess.Popen[str]
    url: str = ""

    def do(self, *steps: Step) -> None:
        """Steps of its node's chain."""
        for step in steps:
            for _ in self.node.apply(step):
                pass

    @property
    def head(self) -> int:
        return self.node.chain.head.number

    @property
    def partner_token(self) -> Path:
        return self.settings.path(self.settings.security.partner_token_file)

    async def monmouth(self, *words: str, code: int | Sequence[int] = 0) -> str:
        """A command of this deployment's operator."""
        codes = [code] if isinstance(code, int) else code

        def run() -> str:
            result = CliRunner().invoke(cli, ["sync", *words, "--url", self.url], obj=self.settings, env=self.variables())
            assert result.exit_code in codes, (result.exit_code, result.output, result.exception)
            return result.output or str(result.exception)

        return await asyncio.to_thread(run)

    def variables(self) -> dict[str, str]:
        return {name: value for name, value in environment(self.settings).items() if name.startswith("MONMOUTH_")}

    async def asked(self, command: str, peer: Side, *words: str, code: int | Sequence[int] = 0) -> Any:
        """``sync`` with the peer, as JSON."""
        words = (command, "--peer", peer.url, "--token-file", str(peer.partner_token), "--json", *words)
        return orjson.loads(await self.monmouth(*words, code=code))


@asynccontextmanager
async def deployed(name: str, broker: str, folder: Path, partitions: int) -> AsyncIterator[Side]:
    kafka = KafkaSettings(bootstrap=broker, prefix=f"{name}.", partitions=partitions)
    await apply(kafka)
    settings = Settings(state_dir=folder / name, kafka=kafka)
    load_or_create_token(settings.path(settings.security.partner_token_file), "partner token")
    async with DevNode(DevChain(11, agents=6, transactions=4)) as node:
        settings.chain.rpc_url, settings.chain.poll_interval = node.url, 0.1
        log = (folder / f"{name}.log").open("w")
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.sync.side"],
            cwd=ROOT,
            env=environment(settings) | {"MONMOUTH_GATEWAY__PORT": "0", "MONMOUTH_GATEWAY__METRICS_PORT": "0"},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        side = Side(name, settings, node, process)
        try:
            yield side
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, 30)
            log.close()


async def _announced(side: Side, folder: Path) -> None:
    assert side.process.stdout is not None
    line = await asyncio.wait_for(asyncio.to_thread(side.process.stdout.readline), PATIENCE)
    assert line.startswith("gateway: "), (line, (folder / f"{side.name}.log").read_text()[-3000:])
    side.url = line.split()[1]


async def settled(side: Side, height: int) -> None:
    """Waits until the memory agents have taken in a block, and the gateway knows the checkpoint."""
    async with asyncio.timeout(PATIENCE), over_http(side.name, side.url, side.partner_token.read_text().strip()) as gateway:
        while True:
            with suppress(PartnerError, MovedError):
                if (await gateway.summary()).settled == height and height in await gateway.heights():
                    return
            await asyncio.sleep(0.2)


@pytest.fixture(scope="module")
def second_broker(tmp_path_factory: pytest.TempPathFactory, jars_dir: Path) -> Any:
    local = LocalBroker(
        tmp_path_factory.mktemp("second"), jars=jars_dir, heap="384m", properties=PROPERTIES, record_startup=False
    )
    local.start()
    yield local.bootstrap
    local.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sides(broker: str, second_broker: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Side, Side]]:
    folder = tmp_path_factory.mktemp("sides")
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(deployed("here", broker, folder, 2))
        there = await stack.enter_async_context(deployed("there", second_broker, folder, 3))
        for side in (here, there):
            side.do(*(Step(StepKind.ADVANCE) for _ in range(BLOCKS)))
        await asyncio.gather(*(_announced(side, folder) for side in (here, there)))
        await asyncio.gather(*(settled(side, BLOCKS) for side in (here, there)))
        yield here, there
