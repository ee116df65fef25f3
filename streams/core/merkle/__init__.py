"""Merkle trees: the sparse tree of an agent's memories and the append-only log of checkpoints.

Invariant: a verifier returns a bool for any input.
"""
