"""The knowledge graph as pure functions of a set of events: tallies, snapshots, searches, ranks, patterns, identities.

``tally`` folds the events of one edge, ``standing`` those of one agent, both in canonical order and in integers; ``snapshot``
is the graph at one point; everything else reads a snapshot. Equal events give equal bytes, in any order of arrival.
"""
