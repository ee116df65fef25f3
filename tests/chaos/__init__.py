"""Faults on the real parts: broker, node, producer and workers as processes of their own, killed and paused while they work.

``python -m tests.chaos --help`` lists the faults. What happens is recorded as a history, which ``tests.checker`` and the oracle
judge. ``stage`` holds the parts, ``faults`` strike them, ``tap`` and ``writer`` record, ``residue`` reads what is left,
``run`` is the course of one run.
"""
