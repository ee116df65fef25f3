"""Fixtures of the end-to-end tests: the broker comes from the session's plugin, the node from the integration tests."""

from tests.e2e.finished import finished
from tests.integration.node_fixtures import anvil, anvil_binary, anvil_port

__all__ = ["anvil", "anvil_binary", "anvil_port", "finished"]
