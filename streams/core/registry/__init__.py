"""A schema registry as values: Avro schemas, who can read whom, the table of subjects, and what may be done to it."""
