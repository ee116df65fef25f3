"""Each strategy of recovery on real processes: a fault, what the supervisor did, and whether the pipeline got on by itself.

``python -m tests.chaos.recovery --help`` lists the faults; ``scene`` holds the parts, ``faults`` strike them.
"""
