"""A million agents: what an idle one costs, how long a restart takes, and how long one of them waits for a context.

``fill`` makes the state, through the parts that make it in a pipeline; ``resident`` measures processes that hold it.
"""
