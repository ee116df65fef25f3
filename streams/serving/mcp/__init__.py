"""The gateway as a Model Context Protocol server: tools, resources and a prompt for language models."""

from streams.serving.mcp.server import MemoryServer

__all__ = ["MemoryServer"]
