"""Adapters to everything outside the log: chain nodes, stores, embedding backends."""
