"""Kafka, seen from a service: a broker, handlers, a consumer."""

from supportops.messaging.consumer import UNHURRIED, Consumer, ConsumerPolicy
from supportops.messaging.handlers import Handlers
from supportops.messaging.kafka import Broker, open_broker
from supportops.messaging.topics import WrongTopics

__all__ = ["UNHURRIED", "Broker", "Consumer", "ConsumerPolicy", "Handlers", "WrongTopics", "open_broker"]
