"""Sets the stage of the demo: a fresh state folder, broker, topics, model, and the settings its processes share."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from connectors.embedding.model import fetch, locate
from infra import topics
from infra.broker import LocalBroker, jars_folder
from infra.broker.exclusive import exclusive
from infra.broker.ports import wanted_or_free
from streams.cli.subjects import register_subjects
from streams.errors import ConfigurationError
from streams.settings import Settings

FOLDER = "demo"
ANY_AGE = 1e12
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """``settings``: what this process and its children run with. ``environment`` says the same to the children."""

    settings: Settings
    environment: dict[str, str]


@contextmanager
def broker(base: Settings, external: bool, say: Say) -> Iterator[str]:
    """Address of the Kafka to use: the one given, or a local one that ends with the demo.

    Either way what an earlier demo left is removed first: local state and stores that belong to another log would be believed.
    """
    home = base.state_dir / FOLDER
    local = LocalBroker(home, port=0, jars=jars_folder(base.state_dir), say=say)
    local.stop()
    shutil.rmtree(home, ignore_errors=True)
    if external:
        yield base.kafka.bootstrap
        return
    with local:
        yield local.bootstrap


@contextmanager
def alone(base: Settings) -> Iterator[None]:
    """Holds the demo's folder, which each demo empties. Raises BrokerError while another one runs, ConfigurationError."""
    try:
        base.state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"cannot make {base.state_dir}: {error.strerror}", "Name a folder that you may write: --state-dir FOLDER."
        ) from None
    with exclusive(base.state_dir / f"{FOLDER}.lock", 0, "another demo; --state-dir gives this one a folder of its own"):
        yield


def prepare_model(base: Settings, say: Say) -> None:
    """Fetches the embedding model unless it is there."""
    models = base.path(base.rag.models_path)
    try:
        locate(models)
    except ConfigurationError:
        say("fetching the embedding model (84 MB, once)")
        fetch(models)


@contextmanager
def stage(base: Settings, rpc_url: str, ws_url: str | None, *, external_kafka: bool, say: Say) -> Iterator[Stage]:
    """Everything but the processes; what it started ends with the context."""
    with ExitStack() as stack:
        stack.enter_context(alone(base))
        prepare_model(base, say)
        bootstrap = stack.enter_context(broker(base, external_kafka, say))
        settings = base.model_copy(deep=True)
        settings.rag.models_path = base.path(base.rag.models_path).resolve()
        settings.state_dir = (base.state_dir / FOLDER).resolve()
        settings.kafka.bootstrap = bootstrap
        settings.kafka.prefix = f"demo-{secrets.token_hex(3)}."
        settings.chain.rpc_url, settings.chain.ws_url = rpc_url, ws_url
        settings.chain.poll_interval = 0.25
        settings.health.providers = [one for one in settings.health.providers if one != "resources"]  # it is to be busy
        settings.registry.url = ""  # what a demo names its topics concerns nobody else
        settings.gateway.port = wanted_or_free(base.gateway.port)
        settings.gateway.metrics_port = wanted_or_free(base.gateway.metrics_port)
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        yield Stage(settings, environment(settings))


async def make_topics(settings: Settings) -> None:
    """Creates the topics of this run, and registers their schemas for whoever looks in."""
    await topics.apply(settings.kafka)
    await register_subjects(settings)


def in_chain_time(base: Settings) -> Settings:
    """For the development chain, whose blocks carry the same times whenever it runs: their age says nothing."""
    settings = base.model_copy(deep=True)
    settings.health.head_seconds = settings.health.head_failed_seconds = ANY_AGE
    return settings


def environment(settings: Settings) -> dict[str, str]:
    """The variables that make a process run with these settings."""
    chain = settings.chain
    said = {
        "STATE_DIR": settings.state_dir,
        "KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
        "KAFKA__PREFIX": settings.kafka.prefix,
        "KAFKA__PARTITIONS": settings.kafka.partitions,
        "KAFKA__SESSION_TIMEOUT_MS": settings.kafka.session_timeout_ms,
        "CHAIN__RPC_URL": chain.rpc_url,
        "CHAIN__START_BLOCK": chain.start_block,
        "CHAIN__POLL_INTERVAL": chain.poll_interval,
        "RAG__MODELS_PATH": settings.rag.models_path,
        "CACHE__SIZE_MB": settings.cache.size_mb,
        "HEALTH__PROVIDERS": json.dumps(settings.health.providers),
        "HEALTH__HEAD_SECONDS": settings.health.head_seconds,
        "HEALTH__HEAD_FAILED_SECONDS": settings.health.head_failed_seconds,
        "GATEWAY__PORT": settings.gateway.port,
        "GATEWAY__METRICS_PORT": settings.gateway.metrics_port,
        **({"CHAIN__WS_URL": chain.ws_url} if chain.ws_url else {}),
    }
    return {f"MONMOUTH_{name}": str(value) for name, value in said.items()}
