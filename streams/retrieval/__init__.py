"""Which memories answer a question, and in which order."""
