"""Fixtures of the node tests."""

from tests.integration.node_fixtures import anvil, anvil_binary, anvil_port

__all__ = ["anvil", "anvil_binary", "anvil_port"]
