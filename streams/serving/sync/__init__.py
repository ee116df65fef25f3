"""Comparing this deployment with another one of the same chain.

``kept`` is what checkpoints say of the log, ``snapshots`` what the store holds, ``desk`` answers a partner's questions,
``partner`` asks them, ``compare`` finds what differs.
"""
