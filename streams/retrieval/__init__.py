"""Which memories answer a question, and in which order: pure functions and indexes in memory. No I/O, no clock, no random."""
