"""Agents that ask at the same time, each with secrets of its own: no answer and no log line may hold another's."""
