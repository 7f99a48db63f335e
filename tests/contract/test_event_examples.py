"""Golden examples of every published event version: loaded for ever, never edited, only added to."""

import json
from pathlib import Path
from typing import Any

import jsonschema
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event, to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from supportops.contracts import EVENTS, decode, encode
from supportops.contracts.schemas import schema_of
from tests.support.for_each import for_each

EXAMPLES = Path(__file__).parent / "examples"
SCHEMAS = Path("docs/schemas")
PATHS = sorted(EXAMPLES.glob("*/*.json"))


def load(path: Path) -> tuple[list[tuple[str, bytes]], bytes, dict[str, Any]]:
    example = json.loads(path.read_text(encoding="utf-8"))
    headers = [(name, value.encode()) for name, value in example["headers"].items()]
    return headers, json.dumps(example["value"]).encode(), example


def names(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def test_every_published_version_has_an_example() -> None:
    assert {path.parent.name for path in PATHS} == set(EVENTS)


@for_each("path", PATHS)
def test_an_example_is_read_and_written_back_the_same(path: Path) -> None:
    headers, value, example = load(path)
    event = decode(headers, value)
    assert event.type == path.parent.name
    key, written, written_headers = encode(event)
    assert key.decode() == example["key"]
    assert dict(written_headers) == dict(headers)
    assert json.loads(written) == example["value"], "absent and null must survive"


@for_each("path", PATHS)
def test_an_example_fits_its_published_schema(path: Path) -> None:
    _, value, _ = load(path)
    schema = json.loads((SCHEMAS / f"{path.parent.name}.json").read_text(encoding="utf-8"))
    checker = jsonschema.Draft202012Validator(schema)
    checker.check_schema(schema)
    assert [error.message for error in checker.iter_errors(json.loads(value))] == []
    assert list(checker.iter_errors({})) != []
    assert schema == schema_of(EVENTS[path.parent.name])


@for_each("path", PATHS)
def test_the_cloudevents_sdk_reads_what_we_write(path: Path) -> None:
    headers, value, example = load(path)
    _, written, written_headers = encode(decode(headers, value))
    message = KafkaMessage(headers=dict(written_headers), key=None, value=written)
    theirs = from_binary_event(message, JSONFormat())
    assert theirs.get_type() == path.parent.name
    assert theirs.get_id() == example["headers"]["ce_id"]
    assert theirs.get_source() == example["headers"]["ce_source"]
    assert theirs.get_subject() == example["key"]
    assert theirs.get_data() == example["value"]
    assert theirs.get_extension("correlationid") == example["headers"].get("ce_correlationid")


@for_each("path", PATHS)
def test_we_read_what_the_cloudevents_sdk_writes(path: Path) -> None:
    headers, value, example = load(path)
    ours = decode(headers, value)
    attributes = {
        "id": ours.id,
        "source": ours.source,
        "type": ours.type,
        "time": ours.time,
        "subject": ours.subject,
        "datacontenttype": "application/json",
    }
    for header in ("ce_correlationid", "ce_reprocess"):
        if header in example["headers"]:
            attributes[header.removeprefix("ce_")] = example["headers"][header]
    message = to_binary(CloudEvent(attributes, example["value"]), JSONFormat())
    assert isinstance(message.value, bytes)
    theirs = decode(list(message.headers.items()), message.value)
    assert theirs == ours
    assert encode(theirs) == encode(ours)
