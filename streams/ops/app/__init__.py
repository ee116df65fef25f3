"""The faust application of operations: folds ops.metrics and ops.health into tables, and says in ops.windows what they hold.

It is off the path of the data and needs the extra ``ops``. Parts (``parts.py``) are functions that declare agents and tables on
an ``OpsApp``; they fold, faust moves records. At least once, with updates that do nothing the second time: an event is
acknowledged when what it changed in tables, and what it had said, is acknowledged by the brokers.
"""
