"""The promises at scale: millions of records, many workers, random kills, and every committed record recomputed afterwards.

``python -m tests.scale --help``. ``writer`` writes a marked log with reorgs, ``worker`` runs the product's runtime over it with
the stream agent of ``ledger``, ``run`` kills and mends, ``verify`` recomputes what must stand in every output from the input.
"""
