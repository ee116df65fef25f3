"""Block producer: chain node to chain topics."""
