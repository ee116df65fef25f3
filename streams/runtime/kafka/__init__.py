"""The log port on aiokafka."""

from streams.runtime.kafka.client import KafkaClient

__all__ = ["KafkaClient"]
