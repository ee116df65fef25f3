"""A real go-ethereum under the hand of a test: ``python -m tests.geth`` builds it, ``GethNode`` runs it, ``Consensus`` moves
its head over the Engine API as a consensus client does.
"""
