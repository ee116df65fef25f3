"""A history checker: reads what was done and what was left behind, and says what must not have happened.

``events`` is the schema of a history (one JSON object a line), ``history`` reads it, each anomaly class is a function that
defines it (``writes``, ``polls``, ``commits``, ``order``, ``markers``, ``rows``, ``digests``), ``measures`` holds amplification
and recovery, ``report`` puts them in a table. ``python -m tests.checker LOG...`` prints it and exits 1 on any anomaly.
"""
