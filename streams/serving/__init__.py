"""Gateway: REST, client, canonical reads."""
