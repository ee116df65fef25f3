"""Packages: an agent's memories as a file that proves what it holds, and files of other products read as memories."""
