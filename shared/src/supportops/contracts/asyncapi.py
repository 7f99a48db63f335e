"""The AsyncAPI 3 document of all topics and events, generated from the topic table and the models."""

from datetime import timedelta
from typing import Any

import yaml

from supportops.contracts.envelope import Event
from supportops.contracts.schemas import Schema, definitions
from supportops.contracts.topics import TOPICS, Topic, all_topics

KAFKA_BINDING = "0.5.0"
_HEADERS: Schema = {
    "type": "object",
    "required": ["ce_specversion", "ce_type", "ce_id", "ce_source", "ce_time", "ce_subject", "content-type"],
    "properties": {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_type": {"type": "string", "description": "name and version of the event"},
        "ce_id": {"type": "string", "description": "dedupes within one road"},
        "ce_source": {"type": "string", "format": "uri-reference", "description": "e.g. /zendesk/22129848"},
        "ce_time": {
            "type": "string",
            "format": "date-time",
            "description": "when the source noticed the fact",
        },
        "ce_subject": {"type": "string", "description": "id of what it is about; equals the record key"},
        "ce_correlationid": {"type": "string", "description": "id of the event that caused this one"},
        "ce_reprocess": {
            "type": "string",
            "description": "a replay meant for this consumer group alone; every other group skips the record",
        },
        "content-type": {"type": "string", "const": "application/json"},
    },
}


def document() -> str:
    """The document as YAML."""
    topics = all_topics()
    tree = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "supportops events",
            "version": "1.0.0",
            "description": "CloudEvents 1.0 in Kafka's binary mode. A field that is absent is unknown; null is known "
            "to be empty. Generated from supportops.contracts; do not edit by hand.",
        },
        "defaultContentType": "application/json",
        "channels": {_id(topic): _channel(topic) for topic in topics},
        "operations": {name: operation for topic in TOPICS for name, operation in _operations(topic)},
        "components": {
            "messages": {event.__name__: _message(event) for topic in TOPICS for event in topic.events},
            "schemas": {"CloudEventHeaders": _HEADERS, **definitions("#/components/schemas/{model}")},
        },
    }
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=110)


def _id(topic: Topic) -> str:
    return topic.name.replace(".", "_").replace("-", "_")


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": f"Key: {topic.key}. Written by {', '.join(topic.writers)}."
        + (f" Read by {', '.join(topic.readers)}." if topic.readers else ""),
        "messages": {e.__name__: {"$ref": f"#/components/messages/{e.__name__}"} for e in topic.events},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {"retention.ms": topic.retention // timedelta(milliseconds=1)},
                "bindingVersion": KAFKA_BINDING,
            }
        },
    }


def _operations(topic: Topic) -> list[tuple[str, dict[str, Any]]]:
    sides = [(name, "send") for name in topic.writers] + [(name, "receive") for name in topic.readers]
    return [
        (
            f"{service.replace('-', '_')}_{action}s_{_id(topic)}",
            {
                "action": action,
                "channel": {"$ref": f"#/channels/{_id(topic)}"},
                "summary": f"{service} {'writes' if action == 'send' else 'reads'} {topic.name}",
                "messages": [
                    {"$ref": f"#/channels/{_id(topic)}/messages/{e.__name__}"} for e in topic.events
                ],
            },
        )
        for service, action in sides
    ]


def _message(event: type[Event]) -> dict[str, Any]:
    return {
        "name": event.type,
        "title": event.__name__,
        "summary": summary(event),
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/CloudEventHeaders"},
        "payload": {"$ref": f"#/components/schemas/{event.__name__}"},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": KAFKA_BINDING}},
    }


def summary(event: type[Event]) -> str:
    """The first sentence of an event's docstring, or its name in words."""
    own = event.__dict__.get("__doc__")
    if own:
        return " ".join(own.split("\n\n")[0].split()).rstrip(".")
    return event.type.rpartition(".v")[0].replace(".", " ").replace("_", " ")
