"""Alert rules: an expression language over all metrics, the life of an alert, and the channels it is told on."""
