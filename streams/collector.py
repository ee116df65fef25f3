"""The cyclic garbage collector, told what kind of work this is.

Assumes a process that handles batches of many small objects without cycles: reference counts free them at once, yet their
sheer number makes the collector look at them over and over. What still makes cycles (exceptions, tasks) is found, only later.
"""

from __future__ import annotations

import gc

THRESHOLDS = (50_000, 20, 20)
"""Net new objects between collections of the youngest generation (the default is 700), and how often the older ones join in."""


def relax_collector() -> None:
    """Call once, when the process has loaded what it runs with."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
