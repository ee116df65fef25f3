"""The schema registry: its table on a compacted topic, and Confluent's REST API to it."""
