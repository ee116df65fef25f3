"""Who may do what: keys of agents, tokens, the operator. Nothing here does I/O but on the installation's own private files."""
