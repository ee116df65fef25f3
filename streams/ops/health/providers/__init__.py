"""Providers, one thing each."""
