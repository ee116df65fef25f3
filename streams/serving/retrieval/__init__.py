"""Ranking served from the stores: an index per agent, kept up to date, within a bound on memory."""
