"""The channels' file as Alertmanager takes it: a receiver for each channel, routes by channel and severity, what mutes what.

Assumes the rules that ``promql.rule_group`` writes, whose alerts carry their channels and severity as labels. Invariants: what
has no counterpart is refused, never approximated; no secret is in the configuration, only the files that hold them. Each alert
is a group of its own, as this product's own watch tells each; what goes on is told again after ``AGAIN``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from streams.errors import ConfigurationError
from streams.ops.alerts.channels import make_channel
from streams.ops.alerts.post import Poster
from streams.ops.alerts.rules import ALL, SEVERITIES, AlertRule

AGAIN = {"critical": "1h", "warning": "4h", "info": "1d"}
"""After how long an alert that goes on is told again."""
SILENT = "log"
"""Alertmanager shows alerts itself; the channel that writes them to a log has no receiver there."""
Fields = Mapping[str, Any]


def configuration(rules: Sequence[AlertRule], channels: Mapping[str, Fields]) -> dict[str, Any]:
    """For ``amtool check-config``; ``channels``: the tables of the channels' file. Raises ConfigurationError."""
    used = sorted({name for rule in rules if rule.enabled for name in rule.channels})
    for name in set(used) - {SILENT}:
        make_channel(name, channels[name], Poster())
    receivers = [{"name": SILENT}, *(_receiver(name, channels[name]) for name in used if name != SILENT)]
    return {
        "route": {
            "receiver": SILENT,
            "group_by": ["..."],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": AGAIN["warning"],
            "routes": [_route(name) for name in used if name != SILENT],
        },
        "receivers": receivers,
        "inhibit_rules": [rule for muting in rules if muting.enabled and muting.mutes for rule in _inhibits(muting)],
    }


def _route(name: str) -> dict[str, Any]:
    return {
        "receiver": name,
        "matchers": [f'channels=~".*,{re.escape(name)},.*"'],
        "continue": True,
        "routes": [
            {"receiver": name, "matchers": [f'severity="{severity}"'], "repeat_interval": AGAIN[severity]}
            for severity in reversed(SEVERITIES)
        ],
    }


def _inhibits(rule: AlertRule) -> list[dict[str, Any]]:
    others = [f'alertname!="{rule.name}"'] if ALL in rule.mutes else [f'alertname=~"{"|".join(rule.mutes)}"']
    return [
        {"source_matchers": [f'alertname="{rule.name}"'], "target_matchers": others, "equal": ["job", "instance", "objective"]}
    ]


def _receiver(name: str, said: Fields) -> dict[str, Any]:
    fields = {key: value for key, value in said.items() if key != "type"}
    if asked := next((key for key in fields if key.endswith("_env")), None):
        raise ConfigurationError(
            f"channel {name}: Alertmanager reads no secret from the environment", f"Use {asked.removesuffix('_env')}_file."
        )
    if said["type"] == SILENT:
        return {"name": name}
    kind, settings = _KINDS[said["type"]](name, fields)
    return {"name": name, kind: [{"send_resolved": True, **settings}]}


def _webhook(name: str, fields: Fields) -> tuple[str, dict[str, Any]]:
    if "secret_file" in fields:
        raise ConfigurationError(
            f"channel {name}: Alertmanager signs no webhooks", "Leave the secret out, or let `monmouth alerts watch` tell it."
        )
    return "webhook_configs", {"url": fields["url"]}


def _slack(_: str, fields: Fields) -> tuple[str, dict[str, Any]]:
    return "slack_configs", {
        "api_url_file": str(fields["url_file"]),
        "title": "[{{ .Status }}] {{ .CommonLabels.severity }} {{ .CommonLabels.alertname }}",
        "text": "\n".join(f"{{{{ .CommonAnnotations.{name} }}}}" for name in ("condition", "description", "runbook_url")),
    }


def _pagerduty(_: str, fields: Fields) -> tuple[str, dict[str, Any]]:
    found = {"routing_key_file": str(fields["routing_key_file"]), "severity": "{{ .CommonLabels.severity }}"}
    return "pagerduty_configs", found | ({"url": fields["url"]} if "url" in fields else {})


def _email(name: str, fields: Fields) -> tuple[str, dict[str, Any]]:
    security = fields.get("security", "starttls")
    if security == "tls" and fields["port"] != SMTPS:
        raise ConfigurationError(f"channel {name}: Alertmanager speaks TLS from the start on port {SMTPS} only")
    found = {
        "to": ", ".join(fields["recipients"]),
        "from": fields["sender"],
        "smarthost": f"{fields['host']}:{fields['port']}",
        "require_tls": security == "starttls",
    }
    if "ca_file" in fields:
        found["tls_config"] = {"ca_file": str(fields["ca_file"])}
    if "user" in fields:
        found |= {"auth_username": fields["user"], "auth_password_file": str(fields["password_file"])}
    return "email_configs", found


SMTPS = 465
_KINDS: Mapping[str, Callable[[str, Fields], tuple[str, dict[str, Any]]]] = {
    "webhook": _webhook,
    "slack": _slack,
    "pagerduty": _pagerduty,
    "email": _email,
}
