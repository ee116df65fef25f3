"""Benchmarks. Each prints its rows, a rate, and a ratio against a peer or a limit measured in the same run."""
