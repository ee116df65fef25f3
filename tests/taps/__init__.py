"""Real topics of ours, read by clients that nobody here wrote."""
