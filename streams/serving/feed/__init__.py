"""The change feed: what happens to an agent's memories, in the order of the log, as server-sent events."""
