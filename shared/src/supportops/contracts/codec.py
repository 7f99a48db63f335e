"""Events to Kafka records and back: CloudEvents 1.0, binary mode. The only place that knows JSON and headers.

Binary mode: context attributes are headers named `ce_<attribute>` (UTF-8), the data is the value, its media
type the `content-type` header (never `ce_datacontenttype`). Records come from outside: whatever they hold,
`decode` raises nothing but `supportops.errors.Undecodable`.
"""

from collections.abc import Sequence
from typing import Final

import orjson
from pydantic import ValidationError

from supportops.contracts.envelope import Event
from supportops.contracts.topics import EVENTS
from supportops.errors import Undecodable

Headers = Sequence[tuple[str, bytes | None]]
Record = tuple[bytes, bytes, list[tuple[str, bytes]]]

_ENVELOPE: Final = (("id", "ce_id"), ("source", "ce_source"), ("time", "ce_time"), ("subject", "ce_subject"))
_EXTENSIONS: Final = (("correlation_id", "ce_correlationid"), ("reprocess", "ce_reprocess"))
_READ: Final = {
    "ce_type",
    "ce_specversion",
    "content-type",
    *(header for _, header in (*_ENVELOPE, *_EXTENSIONS)),
}
_COMMON: Final = [("ce_specversion", b"1.0"), ("content-type", b"application/json")]


class UnknownEventType(Undecodable):
    """A well-formed record of a type this release does not know: skip it, it is not a dead letter."""


def encode(event: Event) -> Record:
    """Key, value and headers of the Kafka record. Raises ValueError for text that UTF-8 cannot carry."""
    key = event.subject.encode()
    headers = [
        ("ce_type", event.type.encode()),
        ("ce_id", event.id.encode()),
        ("ce_source", event.source.encode()),
        ("ce_time", f"{event.time.isoformat().removesuffix('+00:00')}Z".encode()),
        ("ce_subject", key),
        *_COMMON,
    ]
    if event.correlation_id is not None:
        headers.append(("ce_correlationid", event.correlation_id.encode()))
    if event.reprocess is not None:
        headers.append(("ce_reprocess", event.reprocess.encode()))
    return key, event.__pydantic_serializer__.to_json(event, exclude_unset=True), headers


def event_type(headers: Headers) -> str | None:
    """The CloudEvents type, or None when there is none that can be read. Never raises."""
    return _attribute(headers, "ce_type")


def reprocess_group(headers: Headers) -> str | None:
    """The one consumer group this record is meant for; None: for every group. Never raises.

    A record with a group in it is a replay (`ingest replay --reprocess GROUP`) under a new id: other groups
    skip it.
    """
    return _attribute(headers, "ce_reprocess")


def decode(headers: Headers, value: bytes | None) -> Event:
    """The event of a record.

    Raises UnknownEventType for a type that is not in the topic table and Undecodable for everything else that
    cannot be read: missing or broken attributes, another content type, no JSON, JSON of another shape.
    """
    attributes = _unambiguous(headers)
    name = _text(attributes, "ce_type")
    model = EVENTS.get(name)
    if model is None:
        raise UnknownEventType(f"unknown event type {name[:100]!r}")
    _check_protocol(attributes)
    data = _load(value)
    for field, header in _ENVELOPE:
        data[field] = _text(attributes, header)
    for field, header in _EXTENSIONS:
        data.pop(field, None)
        if header in attributes:
            data[field] = _text(attributes, header)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise Undecodable(f"{name}: {_reasons(error)}") from None
    except Exception as error:  # whatever a record holds: no other error gets out of here
        raise Undecodable(f"{name}: {type(error).__name__}") from error


def _attribute(headers: Headers, wanted: str) -> str | None:
    """None also where it is there with different values: `decode` refuses such a record, nobody passes it over."""
    values = {value for name, value in headers if name == wanted}
    value = values.pop() if len(values) == 1 else None
    try:
        return value.decode() if value else None
    except UnicodeDecodeError:
        return None


def _unambiguous(headers: Headers) -> dict[str, bytes | None]:
    """By name. Raises Undecodable where one that we read is there with different values: readers would differ."""
    attributes: dict[str, bytes | None] = {}
    for name, value in headers:
        if attributes.setdefault(name, value) != value and name in _READ:
            raise Undecodable(f"header {name} is there twice, with different values")
    return attributes


def _text(attributes: dict[str, bytes | None], header: str) -> str:
    value = attributes.get(header)
    if not value:
        raise Undecodable(f"header {header} is missing")
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Undecodable(f"header {header} is not UTF-8") from None


def _check_protocol(attributes: dict[str, bytes | None]) -> None:
    version = attributes.get("ce_specversion")
    if version != b"1.0":
        raise Undecodable(f"CloudEvents version {version!r:.40} instead of 1.0")
    content_type = attributes.get("content-type") or b"application/json"
    media_type = content_type.split(b";", 1)[0].strip().lower()
    if media_type != b"application/json":
        raise Undecodable(f"content type {media_type!r:.80} instead of application/json")


def _load(value: bytes | None) -> dict[str, object]:
    if value is None:
        raise Undecodable("no value")
    try:
        data = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise Undecodable(f"not JSON: {error.msg} at byte {error.pos}") from None
    if not isinstance(data, dict):
        raise Undecodable(f"a JSON {type(data).__name__} instead of an object")
    # NUL is legal JSON that PostgreSQL's text refuses. The search of the bytes is a cheap first look; a text
    # that merely spells a backslash and u0000 is fine, hence the second.
    if b"\\u0000" in value and _holds_nul(data):
        raise Undecodable("a NUL character in a text")
    return data


def _holds_nul(data: object) -> bool:
    pending = [data]
    while pending:
        item = pending.pop()
        if isinstance(item, str) and "\x00" in item:
            return True
        if isinstance(item, dict):
            pending.extend((*item.keys(), *item.values()))
        elif isinstance(item, list):
            pending.extend(item)
    return False


def _reasons(error: ValidationError) -> str:
    """Where and why, without the values: they may be personal."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, p['loc']))[:100]}: {p['type']}" for p in problems[:5])
