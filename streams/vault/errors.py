"""What can go wrong with keys."""

from __future__ import annotations

from streams.errors import Category, ConfigurationError, MonmouthError, Severity


class VaultError(MonmouthError):
    """The keys are not there, are not these, or what was sealed was altered."""

    category = Category.CONFIGURATION
    severity = Severity.CRITICAL


class KeyServiceError(ConfigurationError):
    """The program that keeps the key that wraps others did not do it. It may be a service that is away for a moment."""

    category = Category.EXTERNAL
    passes = True


class ErasedError(MonmouthError):
    """The agent was erased: its key is destroyed and no other takes its place."""

    category = Category.MEMORY
    severity = Severity.LOW

    def __init__(self, agent: bytes) -> None:
        super().__init__(f"agent 0x{agent.hex()} was erased", "An erased address is not remembered again; use another one.")
        self.agent = agent
