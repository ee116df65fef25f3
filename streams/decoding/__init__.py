"""Call data and event logs to methods, slots and text."""
