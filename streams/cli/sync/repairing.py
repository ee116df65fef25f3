"""Wires a repair: this deployment's gateway, log, store, keys and node, and the other deployment's gateway."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from connectors.chain.configured import node_source
from connectors.stores import open_memory_store
from streams.cli.asking import gateway_url, token
from streams.cli.wiring import lane_of
from streams.core.record import Record
from streams.errors import SourceError
from streams.identity.operator import read_token
from streams.partitions import partition_of
from streams.ports.chain import ChainSource
from streams.ports.stores import MemoryStore
from streams.producer.identity import identify
from streams.producer.records import parse_agents
from streams.repair.chain_facts import ChainFacts
from streams.repair.log_facts import LogFacts
from streams.repair.mend import Parts, mend
from streams.repair.outcome import Outcome
from streams.repair.owned import WRITER, OwnedRows, owned_rows
from streams.runtime.kafka.client import KafkaClient
from streams.serving.sync.compare import compare
from streams.serving.sync.findings import Findings
from streams.serving.sync.partner import MovedError, Partner, over_http
from streams.settings import Settings
from streams.signing import load_or_create_signer, load_verifier
from streams.stored_ids import stored_ids
from streams.upkeep.pipeline import open_pipeline
from streams.vault.sealing import sealed_records


async def repaired(
    settings: Settings, url: str | None, peer: str, token_file: Path | None, limit: int, *, dry: bool
) -> tuple[Findings, Outcome]:
    """Compares, and mends this deployment. Raises PartnerError, MovedError, StoreError, LogIntegrityError."""
    mine = gateway_url(settings, url)
    theirs = None if token_file is None else read_token(token_file, "partner token")
    allowed = settings.gateway.allow_unencrypted
    async with (
        over_http("this deployment", mine, token(settings, mine), allow_unencrypted=allowed) as here,
        over_http("the peer", peer, theirs, allow_unencrypted=allowed) as there,
    ):
        findings = await compare(here, there, limit)
        if findings.verdict in {"equal", "ahead"}:
            return findings, Outcome()
        return findings, await _mended(settings, here, findings, dry)


async def _mended(settings: Settings, here: Partner, findings: Findings, dry: bool) -> Outcome:
    signer = load_or_create_signer(settings.path(settings.security.signing_key_file))
    verifier = load_verifier(settings.path(settings.security.trusted_keys_file), signer)

    def verify(record: Record) -> None:
        verifier.verify("Marker", record.value, record.raw)

    async def digest_at(number: int) -> bytes:
        return bytes.fromhex((await here.checkpoint(number)).digest[2:])

    async def stands() -> bool:
        try:
            at = findings.compared_at
            return at is None or (await here.checkpoint(at)).hash == findings.compared_hash
        except MovedError:  # the ring moved on past it, so it is old
            return True

    source = node_source(settings.chain)
    reader = KafkaClient(settings.kafka).reader()
    with sealed_records(settings):
        store = open_memory_store(settings)
        try:
            parts = Parts(
                store=store,
                owned=lambda agent: _owned(settings, store, agent),
                ids=lambda agent: stored_ids(store, agent),
                log=LogFacts(reader, verify, settings.kafka.partitions),
                chain=await _chain(settings, source),
                digest_at=digest_at,
                stands=stands,
                partitions=settings.kafka.partitions,
                dry=dry,
            )
            outcome = await mend(findings, parts)
        finally:
            await store.close()
            await reader.close()
            await source.close()
    return outcome


def _owned(settings: Settings, store: MemoryStore, agent: bytes) -> AbstractAsyncContextManager[OwnedRows]:
    partition = partition_of(agent, settings.kafka.partitions)
    return owned_rows(open_pipeline(settings), store, partition, lane_of(settings)(WRITER, partition))


async def _chain(settings: Settings, source: ChainSource) -> ChainFacts | None:
    """The chain of the settings; None if no node of it answers."""
    try:
        chain_id = await identify(source, settings.chain)
    except SourceError:
        return None
    return ChainFacts(source, chain_id, parse_agents(settings.chain.agents))
