"""What the product runs on: local broker, topics, containers."""
