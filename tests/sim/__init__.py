"""The real core, runtime and producer in a simulated world, one seed at a time.

Simulated: time and scheduling (``virtual``), processes that crash and pause (``process``), the broker (``broker``, ``group``,
``client``), the node (``node``, ``source``), the memory store (``store``). Real: everything of ``streams``, and LMDB, whose
writes happen at scheduled moments on the loop's own thread. One seed is one run, to the last event.
"""
