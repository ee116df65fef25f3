"""Context for an agent: which of its memories, in which order, within which budget of tokens, and how they are shown."""
