"""The graph stream agent: who deals with whom, and what each agent's own transactions say of it.

``agent`` is the fold; ``books`` keeps what it adds up, event by event, so that each can be taken back; ``rows`` makes records.
"""

from streams.agents.graph.agent import GraphAgent

__all__ = ["GraphAgent"]
