"""Interfaces between the stream agents and what lies outside the log. No implementation lives here."""
