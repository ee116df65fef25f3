"""Memory and vector stores: embedded and external."""
