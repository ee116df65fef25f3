"""The part of both clients about circuits, which is the operator's. Methods and answers are the same."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar

from streams.serving import circuit_calls as calls
from streams.serving.calls import Call
from streams.serving.wire import Answer
from streams.serving.wire.circuits import CircuitList, CircuitView

A = TypeVar("A", bound=Answer)


class CircuitMethods:
    """Blocks."""

    @abstractmethod
    def _send(self, call: Call[A]) -> A:
        """Carries out a call. Raises GatewayError."""

    def circuits(self) -> CircuitList:
        """How the gateway's process asks each place outside."""
        return self._send(calls.circuits())

    def open_circuit(self, name: str, seconds: float | None = None) -> CircuitView:
        """Has calls to a place refused at once, for so long or until it is closed. Raises NotFoundError."""
        return self._send(calls.open_circuit(name, seconds))

    def close_circuit(self, name: str) -> CircuitView:
        """Lets calls through again. Raises NotFoundError."""
        return self._send(calls.close_circuit(name))

    def reset_circuit(self, name: str) -> CircuitView:
        """Closes a circuit and forgets what it has counted. Raises NotFoundError."""
        return self._send(calls.reset_circuit(name))


class AsyncCircuitMethods:
    """Does not block."""

    @abstractmethod
    async def _send(self, call: Call[A]) -> A:
        """Carries out a call. Raises GatewayError."""

    async def circuits(self) -> CircuitList:
        """As CircuitMethods.circuits."""
        return await self._send(calls.circuits())

    async def open_circuit(self, name: str, seconds: float | None = None) -> CircuitView:
        """As CircuitMethods.open_circuit."""
        return await self._send(calls.open_circuit(name, seconds))

    async def close_circuit(self, name: str) -> CircuitView:
        """As CircuitMethods.close_circuit."""
        return await self._send(calls.close_circuit(name))

    async def reset_circuit(self, name: str) -> CircuitView:
        """As CircuitMethods.reset_circuit."""
        return await self._send(calls.reset_circuit(name))
