"""``monmouth gateway`` as a process: ready with the real model, ends cleanly on SIGTERM, says what is missing."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.embedding import open_embedder
from connectors.embedding.model import ModelFiles
from connectors.stores import open_memory_store, open_vector_store
from schemas.codec import codec
from streams.core.canonical import ChainStep
from streams.ports.stores import VectorRow
from streams.serving.client import Client
from streams.settings import Settings
from streams.signing import load_or_create_signer
from tests.identity import operator_token
from tests.integration.serving.broker import log_writer
from tests.steps import block, notification, step_new
from tests.unit.serving.world import ALICE, upsert

pytestmark = pytest.mark.kafka

GENESIS = block(0, 0, bytes(32))
TEXTS = ["swapped 2 ETH for 5,000 DAI on Uniswap", "voted yes on the treasury proposal", "received 10 USDC from a friend"]


def environment(settings: Settings) -> dict[str, str]:
    kafka = settings.kafka
    return {
        **os.environ,
        "MONMOUTH_KAFKA__BOOTSTRAP": kafka.bootstrap,
        "MONMOUTH_KAFKA__PREFIX": kafka.prefix,
        "MONMOUTH_STATE_DIR": str(settings.state_dir),
        "MONMOUTH_RAG__MODELS_PATH": str(settings.rag.models_path),
        "MONMOUTH_HEALTH__PROVIDERS": '["broker", "stores", "disk"]',  # the machine itself may be busy with other tests
    }


@contextmanager
def started(settings: Settings, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "streams.cli", "gateway", "--port", "0", "--metrics-port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(settings) | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=20)


@pytest.mark.model
async def test_answers_with_the_real_model_and_ends_on_sigterm(kafka_settings: Settings, model_files: ModelFiles) -> None:
    settings = kafka_settings
    settings.rag.models_path = model_files.folder.parent
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))

    def signed(step: ChainStep) -> bytes:
        return codec().encode("BlockNotification", signer.sign("BlockNotification", notification(step)))

    async with log_writer(settings.kafka) as writer:
        await writer.raw(signed(step_new(0, GENESIS)))
    facts = [upsert(ALICE, GENESIS, i, text) for i, text in enumerate(TEXTS)]
    memories, vectors, embedder = open_memory_store(settings), open_vector_store(settings), open_embedder(settings)
    await memories.apply(facts)
    rows = embedder.embed(TEXTS)
    await vectors.upsert([VectorRow(ALICE, fact["memory_id"], row) for fact, row in zip(facts, rows, strict=True)])

    def session() -> None:
        with started(settings) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("gateway: "), process.stderr.read() if process.stderr else ""
            with Client(line.split()[1], token=operator_token(settings)) as client:
                deadline = time.monotonic() + 20
                while client.health().status != "healthy":
                    assert time.monotonic() < deadline, client.health()
                    time.sleep(0.2)
                context = client.query_context(ALICE, "What did I swap on Uniswap?", 3)
                assert context.items[0].text == TEXTS[0]
                assert context.items[0].tokens == embedder.count_tokens(TEXTS[0])
                assert context.tokens == sum(item.tokens for item in context.items)
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=20)
            assert process.returncode == 0, errors
            assert "Traceback" not in errors

    await asyncio.to_thread(session)
    await memories.close()
    await vectors.close()


def test_missing_model_is_an_error_with_a_hint(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state")
    with started(settings) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "model" in errors
    assert "monmouth model fetch" in errors
    assert "Traceback" not in errors


def test_query_without_a_gateway_is_an_error_with_a_hint(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streams.cli", "query", "0x" + "11" * 20, "anything", "--gateway", "http://127.0.0.1:9"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "MONMOUTH_STATE_DIR": str(tmp_path)},
    )
    assert done.returncode == 1
    assert "no answer from http://127.0.0.1:9" in done.stderr
    assert "monmouth gateway" in done.stderr
    assert "Traceback" not in done.stderr
