"""What an operator does to a pipeline: replay, checkpoints, archives, rebuilding, verifying, recovering."""
