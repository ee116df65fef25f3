"""Real Prometheus and Alertmanager run the rules and routes that are written for them: a metric moves, a webhook is told."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from streams.ops.alerts.alertmanager import configuration
from streams.ops.alerts.defaults import DEFAULTS
from streams.ops.alerts.promql import rule_group
from streams.ops.alerts.rules import AlertRule, rules_of
from tests.exporter import Exporter, exporting
from tests.monitoring import Prometheus, alertmanager, prometheus, until

OWN = """
[[rule]]
name = "Undone"
condition = "chain_undone_blocks > 5"
severity = "critical"
channels = ["hook", "other"]
[[rule]]
name = "Quiet"
condition = "chain_undone_blocks > 1e9"
channels = ["hook"]
[[rule]]
name = "Mild"
condition = "max(graph_events_held[1m]) > 5"
for = "4s"
channels = ["hook"]
[[rule]]
name = "LogOnly"
condition = "chain_undone_blocks > 5"
"""


class Hook:
    """A receiver of Alertmanager's webhooks: (path, alert, state) in the order of their coming."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []
        self.bodies: list[dict[str, Any]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.bodies.append(body)
                hook.told += [(self.path, alert["labels"]["alertname"], alert["status"]) for alert in body["alerts"]]
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()
    yield found
    found.server.shutdown()
    found.server.server_close()


def rules() -> list[AlertRule]:
    return rules_of(re.sub(r"channels = \[.*\]", 'channels = ["hook"]', DEFAULTS) + OWN, "here")


def test_rules_and_routes_do_in_both_servers_what_they_say(tmp_path: Path, hook: Hook) -> None:
    """A metric that moves is told and resolved, what must be silent is, and a process that is gone mutes the rest."""
    channels = {name: {"type": "webhook", "url": f"{hook.url}/{name}"} for name in ("hook", "other")}
    with ExitStack() as stack:
        receiver = stack.enter_context(alertmanager(tmp_path, configuration(rules(), channels)))
        with exporting() as process:
            process.run("metric('monmouth_runtime_dead_letters_total').labels('intent')")
            process.run("metric('monmouth_system_health_score').set(1)")
            server = stack.enter_context(prometheus(tmp_path, [process.target], rule_group(rules(), 0.2), receiver))
            until(lambda: server.query("monmouth_chain_undone_blocks"), "nothing is scraped")
            told_and_resolved(process, server, hook)
            process.run("metric('monmouth_graph_events_held').set(9)")
            until(lambda: server.query("monmouth_graph_events_held > 5"), "it did not move")
        until(lambda: {"TargetDown", "Mild"} <= server.firing(), "not both fire")
        until(lambda: ("/hook", "TargetDown", "firing") in hook.told, f"not told: {hook.told}")
        time.sleep(1)
    assert not [row for row in hook.told if row[1] in {"Mild", "Quiet", "LogOnly"}]


def told_and_resolved(process: Exporter, server: Prometheus, hook: Hook) -> None:
    assert hook.told == []
    process.run("metric('monmouth_chain_undone_blocks').set(9)")
    process.run("metric('monmouth_runtime_dead_letters_total').labels('intent').inc()")
    expected = [("/hook", "DeadLetters"), ("/hook", "Undone"), ("/other", "Undone")]
    until(lambda: {(*row, "firing") for row in expected} <= set(hook.told), f"not told: {hook.told}")
    assert server.firing() == {"DeadLetters", "LogOnly", "Undone"}
    process.run("metric('monmouth_chain_undone_blocks').set(0)")
    over = {("/hook", "Undone", "resolved"), ("/other", "Undone", "resolved")}
    until(lambda: over <= set(hook.told), f"not resolved: {hook.told}")
    assert server.firing() == {"DeadLetters"}
    assert sorted((path, name) for path, name, state in hook.told if state == "firing") == expected
    body = next(body for body in hook.bodies if body["commonLabels"]["alertname"] == "Undone")
    assert body["commonLabels"]["severity"] == "critical"
    assert body["commonAnnotations"]["condition"] == "chain_undone_blocks > 5"
