"""JSON Schemas of the events' values, generated from the models, and what may change in a published one."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic.json_schema import models_json_schema

from supportops.contracts.envelope import Event
from supportops.contracts.topics import EVENTS

type Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
ENVELOPE = frozenset(Event.model_fields)
_WORDS = frozenset({"title", "description", "examples"})  # for people: free to change


@lru_cache(maxsize=4)
def definitions(ref_template: str) -> dict[str, Schema]:
    """The schema of each event's value and of the parts they are made of, by class name.

    Envelope fields are left out: they travel in headers. The result is shared: not to be changed.
    """
    models = [(event, "validation") for event in EVENTS.values()]
    _, document = models_json_schema(models, ref_template=ref_template)  # type: ignore[arg-type]  # a tuple of literals
    found: dict[str, Schema] = document["$defs"]
    for event in EVENTS.values():
        schema = found[event.__name__]
        schema["properties"] = {k: v for k, v in schema["properties"].items() if k not in ENVELOPE}
        schema["required"] = [name for name in schema.get("required", []) if name not in ENVELOPE]
        schema.pop("title", None)
    return found


def schema_of(event: type[Event]) -> Schema:
    """The self-contained JSON Schema of one event's value, as `docs/schemas/<type>.json` holds it."""
    everything = definitions("#/$defs/{model}")
    own = everything[event.__name__]
    parts = {name: everything[name] for name in sorted(set(_parts(own, everything)))}
    head: Schema = {"$schema": DRAFT, "$id": f"urn:supportops:{event.type}", "title": event.type}
    return head | own | ({"$defs": parts} if parts else {})


def _parts(schema: object, everything: Mapping[str, Schema]) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(ref := schema.get("$ref"), str):
            name = ref.rpartition("/")[2]
            yield name
            yield from _parts(everything[name], everything)
        for value in schema.values():
            yield from _parts(value, everything)
    elif isinstance(schema, list):
        for value in schema:
            yield from _parts(value, everything)


def breaks(published: Schema, now: Schema) -> list[str]:
    """What a change of a published version would break; empty when fields were only added, and optional ones.

    Old readers must be able to read new events and new readers old ones, so a field may not go, may not change what
    it allows, and may not become required or optional.
    """
    return list(_broken(published, now, (published.get("$defs", {}), now.get("$defs", {})), ""))


def _broken(
    old: Schema, new: Schema, parts: tuple[Mapping[str, Schema], Mapping[str, Schema]], place: str
) -> Iterator[str]:
    old, new = _resolved(old, parts[0]), _resolved(new, parts[1])
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in before:
        here = f"{place}.{name}".lstrip(".")
        if name not in after:
            yield f"{here} is gone"
        elif (name in old.get("required", [])) != (name in new.get("required", [])):
            yield f"{here} changed between required and optional"
        else:
            yield from _broken(before[name], after[name], parts, here)
    for name in set(new.get("required", [])) - set(before):
        yield f"{place}.{name} is new and required".lstrip(".")
    if "items" in old and "items" in new:
        yield from _broken(old["items"], new["items"], parts, f"{place}[]")
    if _plain(old) != _plain(new):
        yield f"{place or 'the value'} allows something else: {_plain(old)} became {_plain(new)}"


def _resolved(schema: Schema, parts: Mapping[str, Schema]) -> Schema:
    ref = schema.get("$ref")
    if not isinstance(ref, str):
        return schema
    return parts[ref.rpartition("/")[2]] | {key: value for key, value in schema.items() if key != "$ref"}


def _plain(schema: Schema) -> Schema:
    """What a schema allows, without words and without what is compared part by part."""
    compared = {"properties", "required", "items", "$defs", "$id", "$schema", "default"}
    return {key: value for key, value in schema.items() if key not in _WORDS | compared}
