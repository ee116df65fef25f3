"""Service levels: objectives, minutes of good and bad, budgets and burn rates, the report of a month."""
