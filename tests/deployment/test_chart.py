"""The Helm chart: linted and rendered by Helm, every object held against its reader's schema; and what must be refused."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from streams.cli import COMMANDS, cli
from streams.cli.wiring import AGENTS
from streams.ops.slo.objectives import DEFAULTS
from streams.runtime import metrics
from streams.settings import load_settings
from tests.conftest import ROOT
from tests.deployment.manifests import Manifest, faults, manifests, pods
from tests.deployment.tools import helm

CHART = ROOT / "infra" / "helm" / "monmouth"
DIGEST = "sha256:" + "a" * 64
RULES = '[[rule]]\nname = "Slow"\ncondition = "latency_p95_ms > 100"\nchannels = ["chat"]\n'
CHANNELS = '[chat]\ntype = "slack"\nurl_file = "/run/keys/slack"\n'
LEAST: dict[str, Any] = {
    "image": {"repository": "registry.example/monmouth", "digest": DIGEST},
    "kafka": {"bootstrap": "kafka-0:9092,kafka-1:9092"},
    "chain": {"rpcUrl": "http://node:8545"},
    "keys": {"secret": "monmouth-keys", "claim": "monmouth-agents"},
    "network": {"kafka": {"to": [{"podSelector": {"matchLabels": {"app": "kafka"}}}], "ports": [9092]}},
}
SCALED = {**LEAST, "autoscaling": {"enabled": True, "prometheus": "http://prometheus:9090"}}
FULL: dict[str, Any] = {
    **SCALED,
    "image": {**LEAST["image"], "pullSecrets": ["registry"]},
    "settings": {"MONMOUTH_RAG__VECTOR_STORE_URL": "http://milvus:19530"},
    "keys": {**LEAST["keys"], "more": ["clients"], "operations": ["ops-client"]},
    "secretEnvironment": {
        "MONMOUTH_RAG__VECTOR_STORE_TOKEN": {"secret": "milvus", "key": "token"},
        "MONMOUTH_TRACING__ENDPOINT": {"secret": "traces", "key": "endpoint"},
    },
    "agents": {"memory": {"standby": True, "storage": "50Gi", "storageClass": "fast"}, "graph": {}, "webhook": {}},
    "ops": {"replicas": 2, "objectives": DEFAULTS},
    "alerts": {"rules": RULES, "channels": CHANNELS, "secrets": ["receivers"]},
    "network": {
        "kafka": {"to": [{"ipBlock": {"cidr": "10.0.0.0/24"}}], "ports": [9092, 9093]},
        "stores": {"to": [{"namespaceSelector": {"matchLabels": {"name": "stores"}}}], "ports": [9042, 19530]},
        "chain": {"to": [{"ipBlock": {"cidr": "10.1.0.0/24"}}], "ports": [8545]},
        "receivers": {"to": [{"ipBlock": {"cidr": "10.2.0.0/24"}}], "ports": [443]},
        "clients": [{"podSelector": {"matchLabels": {"app": "shop"}}}],
        "metrics": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
    },
}
NEITHER: dict[str, Any] = {"ops": {"enabled": False}, "alerts": {"enabled": False}}
OFF = {**LEAST, **NEITHER}
CASES = {"least": LEAST, "scaled": SCALED, "full": FULL, "off": OFF}
pytestmark = pytest.mark.usefixtures("tools")
_RENDERED: dict[str, list[Manifest]] = {}


def rendered(name: str) -> list[Manifest]:
    if name not in _RENDERED:
        found = helm(CHART, CASES[name])
        assert "refused" not in found, found
        _RENDERED[name] = manifests(found)
    return copy.deepcopy(_RENDERED[name])


def of(objects: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = [each for each in objects if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def test_helm_has_no_complaint() -> None:
    report = helm(CHART, FULL, lint=True)
    assert report["errors"] == []
    assert [message for message in report["messages"] if message["severity"] > 1] == []


@pytest.mark.parametrize("name", CASES)
def test_every_object_is_what_its_reader_takes(name: str) -> None:
    objects = rendered(name)
    assert [fault for each in objects for fault in faults(each)] == []
    names = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert len(names) == len(set(names))


def test_unknown_and_mistyped_fields_are_seen() -> None:
    objects = rendered("scaled")
    worker, scaled = of(objects, "StatefulSet", "prod-worker-memory"), of(objects, "ScaledObject", "prod-worker-memory")
    policy = of(objects, "NetworkPolicy", "prod-deny")
    worker["spec"]["template"]["spec"]["containers"][0]["readOnlyRoot"] = True
    policy["spec"]["policyTypes"] = "Ingress"
    scaled["spec"]["maxReplicas"] = 3
    assert "readOnlyRoot" in faults(worker)[0]
    assert "policyTypes" in faults(policy)[0]
    assert "maxReplicas" in faults(scaled)[0]
    del scaled["spec"]["maxReplicas"]
    scaled["spec"]["maxReplicaCount"] = "three"
    assert "maxReplicaCount" in faults(scaled)[0]


def changed(path: str, value: Any) -> dict[str, Any]:
    found = copy.deepcopy(FULL)
    place = found
    *way, last = path.split(".")
    for step in way:
        place = place.setdefault(step, {})
    place[last] = value
    return found


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("image.digest", ""),
        ("image.digest", "latest"),
        ("image.tag", "0.1.0"),
        ("image.repository", "registry.example/monmouth@sha256"),
        ("kafka.bootstrap", ""),
        ("kafka.partitions", 0),
        ("keys.secret", ""),
        ("keys.claim", ""),
        ("keys.masterKey", "ab" * 32),
        ("keys.operations", "ops-client"),
        ("chain.rpcUrl", "https://user:word@node"),
        ("settings.MONMOUTH_RAG__VECTOR_STORE_TOKEN", "word"),
        ("settings.MONMOUTH_SECURITY__MASTER_KEY", "ab" * 32),
        ("settings.PATH", "/tmp"),
        ("secretEnvironment.MONMOUTH_RAG__VECTOR_STORE_TOKEN", "word"),
        ("network.kafka.to", []),
        ("agents.Memory", {}),
        ("agents.memory", {"replica": 3}),
        ("worker.graceSeconds", 5),
        ("gateway.graceSeconds", 29),
        ("worker.resources", {"requests": {"cpu": "much"}}),
        ("autoscaling.prometheus", ""),
        ("autoscaling.minReplicas", 0),
        ("ops.replicas", 0),
        ("ops.enabled", "yes"),
        ("alerts.replicas", 2),
        ("alerts.channels", {"chat": {"url": "https://hooks.example/word"}}),
        ("alerts.secrets", [""]),
        ("network.receivers", {"ports": [0]}),
        ("colour", "blue"),
    ],
)
def test_values_that_are_wrong_or_secret_are_refused(path: str, value: Any) -> None:
    refused = helm(CHART, changed(path, value))["refused"]
    assert any(part in refused for part in path.split("."))


def test_more_workers_than_partitions_are_refused() -> None:
    values = {**LEAST, "kafka": {**LEAST["kafka"], "partitions": 2}, "worker": {"replicas": 3}}
    assert "3 workers for 2 partitions" in helm(CHART, values)["refused"]


def test_a_broken_template_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "monmouth"
    shutil.copytree(CHART, broken)
    text = (broken / "templates" / "producer.yaml").read_text()
    (broken / "templates" / "producer.yaml").write_text(text.replace("replicas: 1", "replicas: {{ .Values.nobody.knows }}"))
    assert "producer.yaml" in helm(broken, LEAST)["refused"]
    assert [message for message in helm(broken, LEAST, lint=True)["messages"] if message["severity"] == 3]


@pytest.mark.parametrize("name", CASES)
def test_pods_have_no_rights(name: str) -> None:
    for found, pod in pods(rendered(name)):
        assert pod["automountServiceAccountToken"] is False, found["metadata"]["name"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        for container in pod.get("initContainers", []) + pod["containers"]:
            rights = container["securityContext"]
            assert rights["allowPrivilegeEscalation"] is False
            assert rights["readOnlyRootFilesystem"] is True
            assert rights["capabilities"] == {"drop": ["ALL"]}
            assert container["image"] == f"registry.example/monmouth@{DIGEST}"
            assert container["resources"]["limits"]["memory"]
            assert container["resources"]["requests"]


def test_each_stream_agent_has_workers_a_budget_and_a_name_for_each() -> None:
    objects = rendered("least")
    assert yaml.safe_load((CHART / "values.yaml").read_text())["agents"].keys() == AGENTS.keys()
    for agent in AGENTS:
        worker = of(objects, "StatefulSet", f"prod-worker-{agent}")
        (container,) = worker["spec"]["template"]["spec"]["containers"]
        assert container["args"] == ["worker", "--agents", agent]
        named = {"name": "MONMOUTH_KAFKA__INSTANCE_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
        assert named in container["env"]
        assert worker["spec"]["replicas"] == 2
        assert worker["spec"]["template"]["spec"]["topologySpreadConstraints"]
        assert of(objects, "Service", worker["spec"]["serviceName"])["spec"]["clusterIP"] == "None"
        budget = of(objects, "PodDisruptionBudget", f"prod-worker-{agent}")
        labels = worker["spec"]["template"]["metadata"]["labels"]
        assert budget["spec"]["selector"]["matchLabels"].items() <= labels.items()


@pytest.mark.parametrize("name", CASES)
def test_each_program_is_a_real_command_and_its_probes_are_there(name: str) -> None:
    for found, pod in pods(rendered(name)):
        for container in pod["containers"]:
            first, *rest = container["args"]
            module, attribute = COMMANDS[first][0].split(":")
            command: click.Command = getattr(import_module(module), attribute)
            if isinstance(command, click.Group):
                command = command.commands[rest.pop(0)]
            command.make_context(first, list(rest), resilient_parsing=False, obj=None)
            if found["kind"] == "Job":
                assert not [key for key in container if key.endswith("Probe")]
                continue
            ports = {port["name"]: port["containerPort"] for port in container["ports"]}
            assert ports["metrics"] == 9090
            for probe, path in {"startup": "/startupz", "liveness": "/livez", "readiness": "/readyz"}.items():
                assert container[f"{probe}Probe"]["httpGet"] == {"path": path, "port": "metrics"}
            assert pod["terminationGracePeriodSeconds"] >= 30


@pytest.mark.parametrize("name", CASES)
def test_settings_are_known(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for variable, value in of(rendered(name), "ConfigMap", "prod")["data"].items():
        monkeypatch.setenv(variable, value)
        settings: Any = load_settings()
        for part in variable.removeprefix("MONMOUTH_").lower().split("__"):
            assert hasattr(settings, part), f"{variable} is no setting"
            settings = getattr(settings, part)
        assert str(settings) == value


def test_workers_are_scaled_on_a_metric_that_exists_up_to_the_partitions() -> None:
    objects = rendered("scaled")
    for agent in AGENTS:
        scaled = of(objects, "ScaledObject", f"prod-worker-{agent}")["spec"]
        worker = of(objects, "StatefulSet", scaled["scaleTargetRef"]["name"])
        assert "replicas" not in worker["spec"]
        assert scaled["maxReplicaCount"] == 4
        (trigger,) = scaled["triggers"]
        query = re.fullmatch(r'max\((\w+)\{agent="(\w+)",namespace="agents"\}\)', trigger["metadata"]["query"])
        assert query is not None
        assert query.groups() == (metrics.SECONDS_BEHIND._name, agent)
        assert "agent" in metrics.SECONDS_BEHIND._labelnames


def test_no_more_workers_than_asked_for_either() -> None:
    values = {**SCALED, "autoscaling": {**SCALED["autoscaling"], "minReplicas": 3, "maxReplicas": 3}}
    for values_, expected in ((values, (3, 3)), ({**values, "kafka": {**LEAST["kafka"], "partitions": 2}}, (2, 2))):
        scaled = of(manifests(helm(CHART, values_)), "ScaledObject", "prod-worker-memory")["spec"]
        assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == expected


def egress(objects: list[Manifest], component: str) -> list[int]:
    """Ports a pod of this component may reach, by the policies that hold for it."""
    found: list[int] = []
    for policy in objects:
        if policy["kind"] != "NetworkPolicy" or not holds(policy["spec"]["podSelector"], component):
            continue
        for rule in policy["spec"].get("egress", []):
            assert rule["to"], policy["metadata"]["name"]  # an empty one means everywhere
            found += [port["port"] for port in rule["ports"]]
    return sorted(set(found))


def holds(selector: Manifest, component: str) -> bool:
    wanted = selector["matchLabels"].get("app.kubernetes.io/component", component)
    for row in selector.get("matchExpressions", []):
        assert (row["key"], row["operator"]) == ("app.kubernetes.io/component", "NotIn")
        if component in row["values"]:
            return False
    return bool(wanted == component)


def test_nothing_is_let_through_but_what_is_named() -> None:
    least, full = rendered("least"), rendered("full")
    deny = of(least, "NetworkPolicy", "prod-deny")["spec"]
    assert deny["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in deny
    assert "egress" not in deny
    for found, _ in pods(least):
        labels = found["spec"]["template"]["metadata"]["labels"]
        assert deny["podSelector"]["matchLabels"].items() <= labels.items(), found["metadata"]["name"]
    assert egress(least, "worker-memory") == egress(least, "gateway") == egress(least, "producer") == [53, 9092]
    assert egress(full, "worker-memory") == egress(full, "gateway") == [53, 9042, 9092, 9093, 19530]
    assert egress(full, "producer") == [53, 8545, 9092, 9093]
    assert egress(least, "ops") == egress(least, "alerts") == [53, 9092]
    assert egress(full, "ops") == [53, 9092, 9093]
    assert egress(full, "alerts") == [53, 443, 9092, 9093]
    assert egress(full, "worker-webhook") == [53, 443, 9042, 9092, 9093, 19530]
    assert not [each for each in least if each["metadata"]["name"].endswith("-webhook")], "off unless asked for"
    for objects, expected in ((least, []), (full, [{"podSelector": {"matchLabels": {"app": "shop"}}}])):
        ingress = of(objects, "NetworkPolicy", "prod-gateway")["spec"]["ingress"]
        assert [peer for rule in ingress for peer in rule["from"]] == expected
    assert "ingress" not in of(least, "NetworkPolicy", "prod-parts")["spec"]


NEEDED = {
    "topics": set(),
    "producer": {"signing.key"},
    "worker": {"signing.key", "master.key"},
    "gateway": {"signing.key", "master.key", "operator.token"},
    "ops": set(),
    "alerts": set(),
}


def keys_of(pod: Manifest) -> set[str]:
    """Files of the keys that must be there; what else is mounted is optional, or of a Secret of clients."""
    (sources,) = [volume["projected"]["sources"] for volume in pod["volumes"] if "projected" in volume]
    found = set()
    for secret in (source["secret"] for source in sources):
        names = {item["key"] for item in secret.get("items", [])}
        assert all(item["key"] == item["path"] for item in secret.get("items", []))
        if secret["name"] in {"clients", "ops-client", "receivers"}:
            assert not names  # all of it
        elif secret.get("optional"):
            assert names <= {"trusted.txt", "partner.token"}
        else:
            found |= names
    return found


def test_keys_are_copied_for_their_user_alone(tmp_path: Path) -> None:
    """The command of the init container, on a mount as Kubernetes makes it: links into a hidden folder, readable by a group."""
    mounted, keys = tmp_path / "mounted", tmp_path / "keys"
    (mounted / "..data").mkdir(parents=True)
    keys.mkdir()
    (mounted / "..data" / "signing.key").write_text("ab")
    (mounted / "..data" / "signing.key").chmod(0o440)
    (mounted / "signing.key").symlink_to("..data/signing.key")
    (_, pod) = next(pods(rendered("least")))
    (init,) = pod["initContainers"]
    command = [part.replace("/run/mounted", str(mounted)).replace("/run/keys", str(keys)) for part in init["command"]]
    for _ in range(2):  # a container may be started again
        subprocess.run(command, check=True)
        assert [(file.name, file.read_text(), file.stat().st_mode & 0o777) for file in keys.iterdir()] == [
            ("signing.key", "ab", 0o600)
        ]
    (mounted / "signing.key").unlink()  # nothing mounted, where nothing is needed
    subprocess.run(command, check=True)


def test_secrets_are_referred_to_and_keys_end_where_the_settings_say() -> None:
    objects = rendered("full")
    assert not [each for each in objects if each["kind"] == "Secret"]
    data = of(objects, "ConfigMap", "prod")["data"]
    claim = {"name": "agents", "persistentVolumeClaim": {"claimName": "monmouth-agents"}}
    for found, pod in pods(objects):
        (container,) = pod["containers"]
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        for setting in ("SIGNING_KEY", "TRUSTED_KEYS", "MASTER_KEY", "OPERATOR_TOKEN"):
            assert str(Path(data[f"MONMOUTH_SECURITY__{setting}_FILE"]).parent) in mounts
        needed = NEEDED[container["name"].split("-")[0]]
        assert keys_of(pod) == needed
        agents = str(Path(data["MONMOUTH_SECURITY__AGENT_KEYS_FILE"]).parent)
        assert (agents in mounts) == (claim in pod["volumes"]) == ("master.key" in needed)
        declared = {volume["name"] for volume in pod["volumes"]}
        declared |= {claim["metadata"]["name"] for claim in found["spec"].get("volumeClaimTemplates", [])}
        assert {mount["name"] for mount in container["volumeMounts"]} <= declared


def files_of(objects: list[Manifest], component: str) -> dict[str, str]:
    """Text of each file that a setting of this program's pod names."""
    (pod,) = [pod for found, pod in pods(objects) if found["metadata"]["name"] == f"prod-{component}"]
    (container,) = pod["containers"]
    mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume.get("configMap", {}).get("name") for volume in pod["volumes"]}
    said = {each["name"]: Path(each["value"]) for each in container["env"] if each["name"].startswith("MONMOUTH_OPS__")}
    return {
        name: of(objects, "ConfigMap", volumes[mounted[str(file.parent)]])["data"][file.name] for name, file in said.items()
    }


def test_windows_and_alerts_read_the_files_of_the_values(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    objects = rendered("full")
    for component in ("ops", "alerts"):
        found = files_of(objects, component)
        assert {name.removeprefix("MONMOUTH_OPS__") for name in found} == {"SLO_FILE", "RULES_FILE", "CHANNELS_FILE"}
    (tmp_path / "slack").write_text("https://hooks.example/word")
    for name, text in found.items():
        (tmp_path / name).write_text(text.replace("/run/keys", str(tmp_path)))
        monkeypatch.setenv(name, str(tmp_path / name))
    said = CliRunner().invoke(cli, ["alerts", "check"], catch_exceptions=False).output
    assert "latency_p95_ms > 100" in said
    assert CliRunner().invoke(cli, ["slo", "objectives"], catch_exceptions=False).exit_code == 0
    told = json.loads(CliRunner().invoke(cli, ["alerts", "alertmanager"], catch_exceptions=False).output)
    assert {receiver["name"] for receiver in told["receivers"]} == {"log", "chat"}
    assert files_of(rendered("least"), "alerts") == {}
    assert not [each for each in rendered("least") if each["metadata"]["name"] == "prod-files"]


def test_alerts_begin_anew_when_a_file_changes_and_workers_do_not() -> None:
    def sums(values: dict[str, Any]) -> dict[str, Any]:
        found = manifests(helm(CHART, values))
        return {each["metadata"]["name"]: each["spec"]["template"]["metadata"]["annotations"] for each, _ in pods(found)}

    before, after = sums(FULL), sums({**FULL, "alerts": {**FULL["alerts"], "rules": RULES.replace("100", "200")}})
    assert {name for name in before if before[name] != after[name]} == {"prod-ops", "prod-alerts"}


def test_each_program_has_the_secrets_that_are_meant_for_it() -> None:
    traces, token = ("MONMOUTH_TRACING__ENDPOINT", "traces"), ("MONMOUTH_RAG__VECTOR_STORE_TOKEN", "milvus")
    own = {"prod-ops": {"ops-client"}, "prod-alerts": {"ops-client", "receivers"}}
    for found, pod in pods(rendered("full")):
        name = found["metadata"]["name"]
        (sources,) = [volume["projected"]["sources"] for volume in pod["volumes"] if "projected" in volume]
        assert {source["secret"]["name"] for source in sources} - {"monmouth-keys"} == own.get(name, {"clients"})
        said = {each["name"]: each["valueFrom"] for each in pod["containers"][0]["env"] if "valueFrom" in each}
        of_secrets = {(variable, value["secretKeyRef"]["name"]) for variable, value in said.items() if "secretKeyRef" in value}
        assert of_secrets == ({traces} if name in own else {traces, token})


def test_windows_and_alerts_are_not_left_without_what_they_log_in_with() -> None:
    password = {"MONMOUTH_KAFKA__ACCESS__PASSWORD_FILE": "/run/keys/{role}.password"}
    values = {**LEAST, "settings": password, "keys": {**LEAST["keys"], "more": ["clients"]}}
    refused = helm(CHART, values)["refused"]
    assert "keys.operations: ops and alerts need a Secret with /run/keys/{role}.password" in refused
    for enough in ({**values, "keys": {**values["keys"], "operations": ["ops-client"]}}, {**values, **NEITHER}):
        assert "refused" not in helm(CHART, enough)


def test_windows_and_alerts_can_be_left_out_and_there_is_one_watch() -> None:
    names = {each["metadata"]["name"] for each in rendered("off")}
    assert not [name for name in names if name.endswith(("-ops", "-alerts"))]
    watch = of(rendered("full"), "Deployment", "prod-alerts")["spec"]
    assert (watch["replicas"], watch["strategy"]["type"]) == (1, "Recreate")
    assert of(rendered("full"), "Deployment", "prod-ops")["spec"]["replicas"] == 2
