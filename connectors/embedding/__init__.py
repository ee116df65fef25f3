"""Embedding backends and the model files they need."""
