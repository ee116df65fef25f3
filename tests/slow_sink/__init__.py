"""A worker whose store is slow, for as long as one likes: memory stays flat, what waits stays in the log, nothing is lost."""
