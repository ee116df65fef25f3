"""Answers kept for as long as nothing they depend on has changed, and never a moment longer."""
