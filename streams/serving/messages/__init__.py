"""Requests and answers over exex.messages: what HTTP answers of an agent's state, for programs that speak Kafka alone.

``envelope`` signs, checks and seals; ``queries`` are the six questions, as calls of the gateway; ``desk`` answers them and
``asking`` asks; ``topic`` joins both to the broker.
"""
