"""The one settings object. Sources, strongest first: arguments, environment (MONMOUTH_KAFKA__BOOTSTRAP=...), monmouth.toml.

Invariants: a name that no setting has is refused, wherever it stands; secrets are paths to files or come from the environment,
never from arguments, and never print.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self, get_origin

from pydantic import BaseModel, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from streams.core.balance import Strategy
from streams.errors import ConfigurationError
from streams.webhook_settings import Group, WebhookSettings

CONFIG_ENV = "MONMOUTH_CONFIG"
DEFAULT_CONFIG = "monmouth.toml"
PREFIX = "MONMOUTH_"
UNKNOWN = "there is no such setting"
OPERATOR, PRODUCER, GATEWAY, SUPERVISOR, OPS = "operator", "producer", "gateway", "supervisor", "ops"
"""Roles beside the stream agents, each of which is one by its name."""


class KafkaAccessSettings(Group):
    """How brokers are reached, and as whom. ``{role}`` in user and paths: a stream agent, producer, gateway, supervisor,
    ops or operator.

    Paths are absolute or from the working directory; files are read anew for each connection, so they may be exchanged.
    """

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="SSL: encrypted; SASL: with a login."
    )
    allow_unencrypted: bool = Field(False, description="Speak to brokers beyond this machine without TLS.")
    mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512"] = Field("SCRAM-SHA-512", description="Of the login.")
    user: str = Field("", description="Name to log in with, under SASL.")
    password: SecretStr = Field(SecretStr(""), description="From the environment; better is a file.")
    password_file: str = Field("", description="File of mode 0600 that holds the password.")
    ca_file: str = Field("", description="Certificates (PEM) that sign those of the brokers; empty: the system's.")
    certificate_file: str = Field("", description="Own certificate (PEM), where brokers ask for one.")
    key_file: str = Field("", description="Its private key (PEM), of mode 0600.")
    verify_hostname: bool = Field(True, description="False: believe a certificate whatever host it is for.")
    principal: str = Field("", description="What brokers take a client for, if not User: and its login; User:CN={role}, say.")

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.protocol in {"SSL", "SASL_SSL"}

    @property
    def login(self) -> bool:
        """Whether a user and a password are shown."""
        return self.protocol in {"SASL_PLAINTEXT", "SASL_SSL"}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.login and not self.user:
            raise ValueError(f"{self.protocol} needs a user")
        if self.login and bool(self.password.get_secret_value()) == bool(self.password_file):
            raise ValueError(f"{self.protocol} needs either password or password_file")
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("certificate_file and key_file belong together")
        if not self.tls and (self.ca_file or self.certificate_file):
            raise ValueError(f"{self.protocol} uses no certificates: SSL and SASL_SSL do")
        return self


class KafkaSettings(Group):
    """Where the log is and how its topics are laid out."""

    bootstrap: str = Field("127.0.0.1:19092", description="Brokers, HOST:PORT[,HOST:PORT]; by default the local one.")
    prefix: str = Field(
        "monmouth.", description="Of the names of all topics, groups and transactional ids; one for each pipeline."
    )
    partitions: int = Field(
        4, ge=1, le=1024, description="Partitions of each topic by agent: most workers of a stream agent. Never changed later."
    )
    replication: int = Field(1, ge=1, le=7, description="Copies of each topic, for topics that are made; 3 on a cluster.")
    session_timeout_ms: int = Field(6_000, description="A worker silent for so long is given up; brokers may refuse less.")
    instance_id: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="Name of a worker that keeps its partitions while it restarts, within the session timeout.",
    )
    heartbeat_interval_ms: int = Field(500, description="At most a third of the session timeout.")
    request_timeout_ms: int = Field(
        10_000, ge=1_000, description="Longest wait for a broker's answer; then it counts as lost and another one is asked."
    )
    transaction_timeout_ms: int = Field(30_000, description="A transaction open for so long is ended by the brokers.")
    fetch_mib: int = Field(16, ge=1, le=1024, description="Most that one answer of a broker holds; some are held in memory.")
    partition_fetch_mib: int = Field(4, ge=1, le=1024, description="Most of one partition in such an answer.")
    newest_schema: int | None = Field(
        None, ge=1, description="Highest schema id to write, while processes of an older version read; None: the newest known."
    )
    access: KafkaAccessSettings = KafkaAccessSettings()
    role: str = Field(OPERATOR, description="As whom a client comes; each program sets its own.")

    def as_role(self, role: str) -> Self:
        """The same, for a client that comes as ``role``."""
        return self.model_copy(update={"role": role})


class WorkerSettings(Group):
    """What a worker does beside its share."""

    standby: bool = Field(False, description="Keep local state of partitions that other workers own, ready to take over.")
    poll_records: int = Field(
        16_000, ge=50, le=1_000_000, description="Most records in hand of each stream agent, of all its partitions."
    )
    poll_seconds: float = Field(
        1.0, gt=0, le=30, description="What one transaction of a partition should take: its size follows from what they cost."
    )
    poll_share: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Most of the time that fixed costs of transactions take; less than 1 waits for more records between two.",
    )
    state_seconds: float = Field(
        0.5, ge=0, description="Between two writes of local state; the log covers what is not written."
    )
    state_mib: int = Field(32, ge=1, description="Changes of local state that are written at once, whatever the time.")


class ProbeSettings(Group):
    """Metrics and probes of a worker or producer. The gateway has its own, in ``gateway``."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int | None = Field(None, ge=0, le=65_535, description="None: nowhere; several of them may run on one machine.")
    live_seconds: float = Field(60.0, gt=0, description="An event loop that had no turn for so long is dead.")
    rewind_seconds: float = Field(5.0, ge=0, description="A rewind that takes longer makes a worker not ready.")


class ChainSettings(Group):
    """The node and how far it is trusted."""

    chain_id: int | None = Field(None, description="A node of another chain is refused; None: the node says which it is.")
    rpc_url: str = Field("http://127.0.0.1:8545", description="The node, by JSON-RPC over HTTP.")
    rpc_urls: list[str] = Field(
        default_factory=list, description="More nodes of the chain: they share reads by hash, and take over if the first fails."
    )
    rpc_weights: list[float] = Field(
        default_factory=list, description="For weighted: of chain.rpc_url, then of each of chain.rpc_urls."
    )
    balance: Strategy = Field("adaptive", description="How reads by hash are shared among several nodes.")
    ws_url: str | None = Field(None, description="Its WebSocket, whose pushes are hints to look; None: polls alone.")
    allow_unencrypted: bool = Field(False, description="Show a login in rpc_url or ws_url beyond this machine without TLS.")
    poll_interval: float = Field(1.0, gt=0, description="Seconds between polls of the node.")
    start_block: int = Field(0, ge=0, description="First block of a log that is empty.")
    finality_depth: int = Field(64, ge=1, description="Blocks below the tip that are final, where the node knows no tag.")
    rewind_confirmations: int = Field(
        3, ge=1, description="Polls that must agree before a lower head, or one that left what was final, undoes blocks."
    )
    batch_blocks: int = Field(50, ge=1, description="Final blocks written in one transaction while it catches up.")
    verify: Literal["header", "roots", "senders"] = Field(
        "roots", description="What is checked of each block: its hash; also the roots of its contents; also every signature."
    )
    agents: list[str] = Field(default_factory=list, description="Registered agents: recorded as counterparties too.")


class ReorgSettings(Group):
    """Rewind."""

    window: int = Field(256, ge=1, description="Blocks below the tip with a dense checkpoint.")


class MemorySettings(Group):
    """Agent memories."""

    db_path: Path = Field(Path("memory_store"), description="Embedded store, in the state folder.")
    store_gib: int = Field(64, ge=1, le=16_384, description="Address space of an embedded store; files grow with content.")
    max_memory_per_agent: int = Field(
        10_000, ge=1, description="Most memories; above it the least important, then the oldest are evicted."
    )
    checkpoint_interval: int = Field(300, ge=1, description="Seconds of block time between checkpoints kept for history.")
    checkpoint_blocks: int = Field(1_000, ge=1, description="Blocks between checkpoints kept for history.")


Consistency = Literal["LOCAL_ONE", "LOCAL_QUORUM", "QUORUM", "ALL"]


class CassandraSettings(Group):
    """Memories in Cassandra, where ``contact_points`` names some of its nodes; else in the embedded store."""

    contact_points: list[str] = Field(default_factory=list, description="Addresses of some nodes; empty: the embedded store.")
    port: int = Field(9042, ge=1, le=65_535, description="Of all nodes.")
    keyspace: str = Field("monmouth", pattern=r"^[a-z][a-z0-9_]{0,47}$", description="One for each pipeline.")
    local_datacenter: str = Field("datacenter1", description="The datacentre whose nodes are asked.")
    replication: dict[str, int] = Field(
        default_factory=dict, description="Copies by datacentre, for a keyspace that is made; empty: one in the local one."
    )
    buckets: int = Field(4, ge=1, le=256, description="Partitions of each agent, for a keyspace that is made.")
    read_consistency: Consistency = Field("LOCAL_QUORUM", description="Copies that must answer a read.")
    write_consistency: Consistency = Field("LOCAL_QUORUM", description="Copies that must acknowledge a write.")
    max_in_flight: int = Field(256, ge=1, le=32_768, description="Most requests under way at once.")
    timeout_seconds: float = Field(10.0, gt=0, description="Longest wait for an answer.")
    username: str = Field("", description="Name to log in with; empty: no login.")
    password: SecretStr = Field(SecretStr(""), description="From the environment; better is a file.")
    password_file: Path | None = Field(None, description="Holds the password, instead of it standing here.")
    tls_ca_file: Path | None = Field(None, description="Certificates that sign the nodes'; set: TLS is used.")
    tls_cert_file: Path | None = Field(None, description="This client's certificate, where nodes ask for one.")
    tls_key_file: Path | None = Field(None, description="And its key.")
    allow_unencrypted: bool = Field(False, description="Speak to nodes beyond this machine without TLS.")
    tls_check_hostname: bool = Field(True, description="Whether a node's certificate must name the address it is reached at.")


class RagSettings(Group):
    """Vectors and retrieval."""

    vector_store_url: str = Field("", description="Empty: embedded. Else a Milvus URI or a Milvus Lite .db file.")
    vector_store_token: SecretStr = Field(SecretStr(""), description="Milvus: token, or USER:PASSWORD.")
    vector_store_token_file: Path | None = Field(None, description="A file that holds the token instead.")
    vector_store_ca_file: Path | None = Field(None, description="Milvus by https: whose certificates are believed (PEM).")
    vector_store_cert_file: Path | None = Field(None, description="Own certificate, for a server that asks for one (PEM).")
    vector_store_key_file: Path | None = Field(None, description="Its key (PEM).")
    vector_store_server_name: str = Field("", description="What the server's certificate says, if it is not its host.")
    vector_store_allow_unencrypted: bool = Field(False, description="Speak to a Milvus beyond this machine without TLS.")
    vector_collection: str = Field("monmouth_vectors", pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,100}$", description="In Milvus.")
    vector_index: Literal["FLAT", "HNSW", "IVF_FLAT"] = Field(
        "FLAT", description="Of a collection that is made in Milvus. FLAT is exact; the others are for millions of vectors."
    )
    embedding_model: str = Field("sentence-transformers/all-MiniLM-L6-v2", description="What makes vectors of texts.")
    models_path: Path = Field(Path("models"), description="Where its files are, in the state folder.")
    embedding_backend: Literal["onnx", "onnx-int8", "torch"] = Field(
        "onnx", description="What runs it; onnx-int8 is quicker and less exact, torch may use a GPU. The same everywhere."
    )
    embedding_niceness: int = Field(
        5, ge=0, le=19, description="How far a worker's embedding yields the processors to other programs, on Linux; 0: not."
    )
    max_context_tokens: int = Field(32_000, ge=1, description="Most tokens of the texts of one context.")
    index_mib: int = Field(
        512, ge=1, description="Memory for indexes of agents in the gateway; an agent that needs more is searched by vectors."
    )
    min_similarity: float = Field(0.1, ge=-1, le=1, description="Least cosine of what a question finds by its vector alone.")


class CacheSettings(Group):
    """Answers that the gateway keeps."""

    enabled: bool = Field(True, description="False: every question is answered anew.")
    size_mb: int = Field(256, ge=1, le=1_048_576, description="Memory for kept answers; a quarter of it for the hot ones.")
    ttl_seconds: float = Field(300, gt=0, description="Longest life of a kept answer, even if nothing changes.")
    l1_entries: int | None = Field(
        None, ge=0, description="Most hot answers held ready to be sent. Empty: 1,024 for each 4 MB of size_mb."
    )

    @property
    def hot(self) -> int:
        """Entries of the first level."""
        return max(1, self.size_mb // 4) * 1_024 if self.l1_entries is None else self.l1_entries


class GatewaySettings(Group):
    """REST and metrics."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65_535, description="Of REST, MCP and the dashboard.")
    metrics_host: str = Field("127.0.0.1", description="Address for metrics and probes.")
    metrics_port: int = Field(9090, ge=0, le=65_535, description="Of metrics and probes.")
    auth: Literal["required", "off"] = Field("required", description="off: everybody may do everything; loopback only.")
    allow_unencrypted: bool = Field(False, description="Commands show a token to a gateway beyond this machine without TLS.")
    messages: bool = Field(True, description="Answer requests in exex.messages too; one gateway of several is enough.")
    package_mib: int = Field(256, ge=1, le=4_096, description="Largest package in or out, expanded; all take up to 8 times.")
    barrier_seconds: float = Field(3.0, gt=0, description="Longest wait until a read has seen the whole log.")
    proof_seconds: float = Field(5.0, gt=0, description="Longest wait until store and published root agree.")
    root_history: int = Field(1_000, ge=1, description="Records of older roots that are kept of an agent.")
    root_transitions: int = Field(10_000, ge=1, le=100_000, description="Records of older roots kept of all agents together.")
    root_retention_blocks: int = Field(
        100_000, ge=1, description="How far below an agent's newest root its older ones are kept."
    )


class RegistrySettings(Group):
    """An external schema registry that speaks Confluent's REST API; the gateway serves one in any case."""

    url: str = Field("", description="Where `monmouth topics apply` also registers the schemas; empty: nowhere else.")
    user: str = Field("", description="Name to log in with; empty: no login.")
    password: SecretStr = Field(SecretStr(""), description="From the environment; better is a file.")
    password_file: Path | None = Field(None, description="File that holds the password, instead.")
    ca_file: Path | None = Field(None, description="Certificates that are believed, instead of the system's.")
    allow_unencrypted: bool = Field(False, description="Log in to a registry beyond this machine without TLS.")


class GraphSettings(Group):
    """The knowledge graph as a gateway holds it."""

    max_events: int = Field(250_000, ge=1, description="Events of edges held in memory, about 1.5 KiB each.")
    registries: list[str] = Field(
        default=["0x8004A169FB4a3325136EB29fA0ceB6D2e539a432:0x8004BAa17C55a88189AE136b182e5fdA19dE9b63"],
        description="ERC-8004 contracts that are believed: rows IDENTITY:REPUTATION:VALIDATION.",
    )


class BridgeSettings(Group):
    """Memories for programs on another chain; needs a worker with the stream agent bridge."""

    agents: list[str] = Field(
        default_factory=list, description="Whose memories cross, in the clear for all who read the topic."
    )
    final_only: bool = Field(False, description="Let a memory cross once its block is final, so that no reorg takes it back.")


class IntegrationSettings(Group):
    """Addresses and keys of outside services. Nothing uses them yet."""

    eigenlayer_avs: str = Field("", description="Not used yet.")
    eigenda_endpoint: str = Field("", description="Not used yet.")
    composio_api_key: SecretStr = Field(SecretStr(""), description="Not used yet.")


class OpsSettings(Group):
    """What each process says of itself in ops.metrics and ops.health."""

    enabled: bool = Field(True, description="False: a process says nothing there; /metrics and probes are as ever.")
    interval_seconds: float = Field(1.0, ge=0.1, le=60, description="Between two reports of a process.")
    max_processes: int = Field(500, ge=1, description="Processes that `monmouth ops` keeps windows of; more are refused.")
    max_series: int = Field(2_000, ge=1, description="Series that it keeps of each process; more are refused.")
    slo_file: Path | None = Field(None, description="Objectives of service levels (TOML); None: those that come with it.")
    rules_file: Path | None = Field(None, description="Alert rules (TOML); None: those that come with it.")
    channels_file: Path | None = Field(None, description="Channels of alerts (TOML); None: the log alone.")


HealthProviders = Literal["broker", "node", "stores", "disk", "resources", "breakers", "store_folders"]


class HealthSettings(Group):
    """What each process looks at in itself and around it, how often, and what counts as well."""

    providers: list[HealthProviders] = Field(
        default=["broker", "node", "stores", "disk", "resources", "breakers", "store_folders"],
        description="What is looked at, by the processes that use it.",
    )
    interval_seconds: float = Field(30.0, gt=0, description="Between two looks at one thing.")
    timeout_seconds: float = Field(10.0, gt=0, description="Longest wait for one look; then it failed.")
    doubt_seconds: float = Field(2.0, gt=0, description="Between two looks while the next one may turn the verdict.")
    fail_after: int = Field(3, ge=1, description="Failures in a row that make it failed; before, it is degraded.")
    recover_after: int = Field(2, ge=1, description="Looks without a failure that mend it.")
    lag_seconds: float = Field(2.0, gt=0, description="Between two looks at the broker and at how far consumer groups are.")
    ttl_seconds: float = Field(5.0, gt=0, description="A process that reported nothing for so long has failed.")
    expected: list[str] = Field(
        default_factory=list,
        description="Components that have failed where nobody ever reported them; others are then unknown.",
    )
    cpu_percent: float = Field(80.0, gt=0, le=100, description="Used processor from which on a machine is degraded.")
    memory_percent: float = Field(85.0, gt=0, le=100, description="Used memory from which on a machine is degraded.")
    memory_failed_percent: float = Field(95.0, gt=0, le=100, description="From which on it has failed.")
    disk_percent: float = Field(85.0, gt=0, le=100, description="Used disk from which on it is degraded.")
    disk_failed_percent: float = Field(95.0, gt=0, le=100, description="From which on it has failed.")
    head_seconds: float = Field(60.0, gt=0, description="Age of the node's newest block from which on it is degraded.")
    head_failed_seconds: float = Field(300.0, gt=0, description="From which on it has failed.")
    needs: dict[str, list[str]] = Field(
        default_factory=dict, description="What a component needs, where that differs from what topics and stores say."
    )
    criticality: dict[str, float] = Field(
        default_factory=dict, description="Weight of a component in the score, instead of how many depend on it."
    )


class TracingSettings(Group):
    """OpenTelemetry traces, with the extra ``tracing``."""

    endpoint: str = Field("", description="OTLP over HTTP, as http://127.0.0.1:4318; empty: no traces.")
    share: float = Field(1.0, ge=0, le=1, description="Of blocks that are traced.")


class SecuritySettings(Group):
    """Keys, and who may command. Paths are relative to the state folder."""

    commands: Literal["gateway", "signed", "open"] = Field(
        "gateway", description="Commands that count: of a trusted gateway or signed by the agent; signed by the agent; any."
    )
    installation: str = Field("monmouth", description="Name in what accounts sign to register a key; all workers' the same.")

    signing_key_file: Path = Field(
        Path("keys/signing.key"), description="Signs markers, roots and commands; made if not there."
    )
    trusted_keys_file: Path = Field(
        Path("keys/trusted.txt"), description="Public keys that are believed, one a line, and the own."
    )
    master_key_file: Path = Field(Path("keys/master.key"), description="Wraps the keys of agents; made if not there.")
    operator_token_file: Path = Field(Path("keys/operator.token"), description="Opens everything; made if not there.")
    partner_token_file: Path = Field(
        Path("keys/partner.token"), description="Opens digests alone; for another deployment of the chain. None if not there."
    )
    master_key: SecretStr = Field(SecretStr(""), description="The master key itself, 64 hex digits, instead of the file.")
    master_key_program: list[str] = Field(
        default_factory=list, description="Program and arguments that wrap and unwrap the master key, for a key service."
    )
    agent_keys_file: Path = Field(Path("keys/agents.keys"), description="Each agent's key, wrapped by the master key.")
    seal: bool = Field(True, description="Encrypt what is written of an agent; read what is encrypted in any case.")


class Settings(BaseSettings):
    """All of it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid")

    state_dir: Path = Field(Path(".monmouth"), description="Folder of stores, local state, keys, models and logs.")
    kafka: KafkaSettings = KafkaSettings()
    worker: WorkerSettings = WorkerSettings()
    probes: ProbeSettings = ProbeSettings()
    chain: ChainSettings = ChainSettings()
    reorg: ReorgSettings = ReorgSettings()
    memory: MemorySettings = MemorySettings()
    cassandra: CassandraSettings = CassandraSettings()
    rag: RagSettings = RagSettings()
    cache: CacheSettings = CacheSettings()
    gateway: GatewaySettings = GatewaySettings()
    graph: GraphSettings = GraphSettings()
    registry: RegistrySettings = RegistrySettings()
    bridge: BridgeSettings = BridgeSettings()
    webhook: WebhookSettings = WebhookSettings()
    integrations: IntegrationSettings = IntegrationSettings()
    health: HealthSettings = HealthSettings()
    security: SecuritySettings = SecuritySettings()
    ops: OpsSettings = OpsSettings()
    tracing: TracingSettings = TracingSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = Path(os.environ.get(CONFIG_ENV, DEFAULT_CONFIG))
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)

    def path(self, relative: Path) -> Path:
        """``relative`` inside the state folder; an absolute path stays as it is."""
        return self.state_dir / relative


def load_settings(**overrides: Any) -> Settings:
    """Settings from all sources. Raises ConfigurationError that names each wrong field."""
    file = os.environ.get(CONFIG_ENV, DEFAULT_CONFIG)
    try:
        found = Settings(**overrides)
    except ValidationError as error:
        raise _wrong(file, [f"{'.'.join(map(str, e['loc']))}: {_said(e)}" for e in error.errors()]) from None
    except SettingsError:
        raise _wrong(file, [f"{name}: lists and tables are written as JSON" for name in _no_json()]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is not TOML: {error}") from None
    groups = {name.upper() for name in Settings.model_fields}
    if strange := sorted(name for name in _variables() if name.split("__")[0] not in groups):
        raise _wrong(file, [f"{PREFIX}{name}: {UNKNOWN}" for name in strange])
    return found


def _wrong(file: str, lines: Iterable[str]) -> ConfigurationError:
    return ConfigurationError(
        "settings are wrong: " + "; ".join(lines), f"Mend {file} or the environment; `monmouth settings` lists all there are."
    )


def _said(error: Mapping[str, Any]) -> str:
    return UNKNOWN if error["type"] == "extra_forbidden" else error["msg"]


def _variables() -> dict[str, str]:
    """Those of groups, without their prefix."""
    told = ((name.upper(), value) for name, value in os.environ.items())
    return {name.removeprefix(PREFIX): value for name, value in told if name.startswith(PREFIX) and "__" in name}


def _no_json() -> list[str]:
    """Variables of lists and tables that hold something else."""
    found = []
    for name, value in _variables().items():
        group, *rest = name.lower().split("__")
        kind = getattr(Settings.model_fields.get(group), "annotation", None)
        field = kind.model_fields.get(rest[0]) if isinstance(kind, type) and issubclass(kind, BaseModel) else None
        if field is not None and get_origin(field.annotation) in {list, dict} and not _is_json(value):
            found.append(PREFIX + name)
    return found or ["a variable"]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
