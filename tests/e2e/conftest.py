"""Fixtures of the end-to-end tests: the broker comes from the session's plugin, the node from the integration tests."""

from tests.integration.node_fixtures import anvil, anvil_binary, anvil_port

__all__ = ["anvil", "anvil_binary", "anvil_port"]
