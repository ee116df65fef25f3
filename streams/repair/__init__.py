"""Mending this deployment after a comparison with another one: by its own log, or by the chain, never by the other's word.

``log_facts`` is what the own log says, ``chain_facts`` what the chain says, ``rows`` makes a store's rows what the log says,
``mend`` decides.
"""
