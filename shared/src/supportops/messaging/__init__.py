"""Kafka, seen from a service: a broker, handlers, a consumer."""

from supportops.messaging.consumer import UNHURRIED, Consumer, ConsumerPolicy
from supportops.messaging.handlers import Handlers
from supportops.messaging.kafka import Broker, WrongTopics, open_broker

__all__ = ["UNHURRIED", "Broker", "Consumer", "ConsumerPolicy", "Handlers", "WrongTopics", "open_broker"]
