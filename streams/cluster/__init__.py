"""The way to the Kafka cluster: how a client connects and as whom, and what it means when it is not let in."""
