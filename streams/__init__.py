"""Everything that runs on topics: the block producer, the stream agents, their runtime, and the gateway."""

__version__ = "0.1.0"
