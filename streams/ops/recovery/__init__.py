"""What is done by itself when a process of the pipeline fails, and how it is known that it helped.

``ailments``: what is wrong, in types. ``decide``: what to do about it, pure. ``incidents``: attempts, limits, pauses, pure.
``degraded``: what becomes of a part that is done without, pure. ``observe`` looks at a process from outside, ``programs``
starts and ends them, ``strategies`` acts, ``supervisor`` puts it all together; ``metrics`` counts.
docs/recovery.md has the table.
"""
