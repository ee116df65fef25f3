"""Stream agents, one module each, independent of each other."""
