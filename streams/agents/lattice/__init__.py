"""The lattice stream agent: hashes of what every agent remembers.

``agent`` is the fold; ``rows`` is what is kept of each memory, ``accounts`` of each agent, ``journal`` of each block until it
is final; ``final_log`` is the append-only log of final states.
"""

from streams.agents.lattice.agent import LatticeAgent

__all__ = ["LatticeAgent"]
