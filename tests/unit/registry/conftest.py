"""The gateway's parts without a broker."""

from tests.unit.serving.conftest import world

__all__ = ["world"]
