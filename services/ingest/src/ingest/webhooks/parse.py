"""The door: is a request signed by Zendesk, and what does its body say? Pure: no I/O, no clock of its own.

`verify` looks at bytes only. `read` takes a verified body and never raises: every body ends as published
(our events), ignored (well-formed, not ours) or parked (ours, but unreadable: for people to look at).
What Zendesk sends: docs/vendors/zendesk.md#event-bodies.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from pydantic import ValidationError

from ingest import policy
from ingest.webhooks import fields, native, triggers
from ingest.webhooks.native import NativeEvent, Unreadable
from supportops.contracts import Event
from supportops.ticket_version import version_of

Disposition = Literal["published", "ignored", "parked"]

_TYPE: Final = re.compile(r"zen:event-type[:/]([a-z0-9_]+)\.([a-z0-9_]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Account:
    """Whose bodies these are: account id, our integration users, what the admin's triggers are called."""

    id: str
    integration_users: frozenset[str] = frozenset()
    trigger_kinds: Mapping[str, policy.Kind] = field(default_factory=lambda: policy.DEFAULT_KINDS)


class ParsedWebhook(msgspec.Struct, frozen=True):
    """What became of a body. `key` dedupes; `kind`: `ticket.created` and the like, or `trigger:<name>`."""

    disposition: Disposition
    key: str
    kind: str
    reason: str = ""
    ticket_id: str | None = None
    events: tuple[Event, ...] = ()


def read(body: bytes, account: Account, received_at: datetime) -> ParsedWebhook:
    """What a verified body says. Never raises; a reason never quotes the body."""
    raw: dict[str, object] = {}
    try:
        raw = _load(body)
        type_ = raw.get("type")
        if isinstance(type_, str) and type_.startswith("zen:event-type"):
            return _read_native(raw, type_, account, received_at)
        return _read_trigger(raw, body, account)
    except Unreadable as error:
        return _parked(body, _kind(raw), str(error), _ticket_id(raw))
    except RecursionError:
        return _parked(body, _kind(raw), "nested too deeply")
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_url=False, include_input=False)[0]["loc"]))
        return _parked(body, _kind(raw), f"unexpected shape of {where}"[:200], _ticket_id(raw))


def _load(body: bytes) -> dict[str, object]:
    """The JSON object. Raises Unreadable or RecursionError.

    Half surrogates (an emoji that someone cut in two) are legal to `json` only: it is asked when msgspec
    refuses.
    """
    try:
        raw = msgspec.json.decode(body)
        if b"\\u0000" in body:
            raw = fields.cleaned(raw)
    except msgspec.MsgspecError:
        raw = fields.cleaned(_load_leniently(body))
    except ValueError:
        raise Unreadable("not UTF-8") from None
    if not isinstance(raw, dict):
        raise Unreadable("not a JSON object")
    return raw


def _load_leniently(body: bytes) -> Any:
    try:
        return json.loads(body, parse_constant=_no_constant)
    except ValueError:
        raise Unreadable("not JSON") from None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _read_native(
    raw: dict[str, object], type_: str, account: Account, received_at: datetime
) -> ParsedWebhook:
    match = _TYPE.fullmatch(type_)
    event_id = fields.attribute(raw.get("id"))
    if event_id is None:
        raise Unreadable("no event id")
    domain, name = match.groups() if match else ("", "")
    kind = f"{domain}.{name}"[:100] if match else "unknown"
    table = {"ticket": native.TICKET_TYPES, "organization": native.ORGANIZATION_TYPES}.get(domain, {})
    build = table.get(name)
    if build is None:
        return ParsedWebhook("ignored", f"event:{event_id}", kind, "not one of our types")
    if fields.as_id(raw.get("account_id")) != account.id:
        raise Unreadable("another account")
    native_event = _native_event(raw, _Named(domain, name, event_id), account, received_at)
    ticket_id = native_event.subject_id if domain == "ticket" else None
    return ParsedWebhook("published", f"event:{event_id}", kind, "", ticket_id, build(native_event))


@dataclass(frozen=True, slots=True)
class _Named:
    """What a native event is called: `zen:event-type:<domain>.<name>`, and its own id."""

    domain: str
    name: str
    event_id: str


def _native_event(
    raw: dict[str, object], named: _Named, account: Account, received_at: datetime
) -> NativeEvent:
    detail, event = raw.get("detail"), fields.mapping(raw.get("event"))
    if not isinstance(detail, dict):
        raise Unreadable("no detail")
    subject_id = _subject_id(raw, detail, named.domain)
    updated_at = fields.as_moment(detail.get("updated_at"))
    said = fields.as_moment(raw.get("time"))
    time = said or updated_at or received_at
    # Nanoseconds do not fit a datetime but order events of one second: where the text is readable it counts.
    exact = str(raw["time"]) if said else time
    sequence = fields.mapping(fields.mapping(event.get("meta")).get("sequence"))
    position = sequence.get("position")
    position = position if isinstance(position, int) and 0 <= position < 10**6 else None
    actor = fields.as_id(detail.get("actor_id"))
    base: dict[str, object] = {
        "id": named.event_id,
        "source": f"/zendesk/{account.id}",
        "time": time,
        "subject": subject_id,
        "account_id": account.id,
        "version": version_of(updated_at, exact, position),
        "own_action": actor in account.integration_users,
    }
    if named.domain == "ticket":
        base.update(ticket_id=subject_id, road="native", ticket=native.ticket_snapshot(detail))
        for key, value in (
            ("actor_id", actor),
            ("sequence_id", fields.attribute(sequence.get("id"))),
            ("sequence_position", position),
        ):
            if value is not None:
                base[key] = value
    else:
        base.update(organization_id=subject_id, organization=native.organization_snapshot(detail))
    return NativeEvent(named.name, named.event_id, subject_id, time, base, detail, event, updated_at or time)


def _subject_id(raw: Mapping[str, object], detail: Mapping[str, object], domain: str) -> str:
    subject_id = fields.digits(detail.get("id"))
    if subject_id is None:
        raise Unreadable("no detail.id")
    subject = raw.get("subject")
    if isinstance(subject, str) and subject and subject != f"zen:{domain}:{subject_id}":
        raise Unreadable("detail.id and subject disagree")
    return subject_id


def _read_trigger(raw: dict[str, object], body: bytes, account: Account) -> ParsedWebhook:
    if triggers.names_a_key_twice(body):
        raise Unreadable("a key occurs twice")
    event = triggers.event(raw, account.id, account.trigger_kinds, account.integration_users)
    return ParsedWebhook("published", f"trigger:{event.id}", _kind(raw), "", event.subject, (event,))


def _kind(raw: Mapping[str, object]) -> str:
    type_ = raw.get("type")
    if isinstance(type_, str) and type_.startswith("zen:event-type"):
        match = _TYPE.fullmatch(type_)
        return f"{match[1]}.{match[2]}"[:100] if match else "unknown"
    name = triggers.trigger_name(raw)
    return f"trigger:{name}"[:100] if name else "unknown"


def _ticket_id(raw: Mapping[str, object]) -> str | None:
    """For people who look for a ticket's webhooks: the best we can tell, also from a body that is parked."""
    type_ = raw.get("type")
    if isinstance(type_, str) and "ticket." not in type_:
        return None
    return fields.digits(fields.mapping(raw.get("detail")).get("id") or raw.get("ticket_id"))


def _parked(body: bytes, kind: str, reason: str, ticket_id: str | None = None) -> ParsedWebhook:
    key = f"body:{hashlib.sha256(body).hexdigest()}"
    return ParsedWebhook("parked", key, kind or "unknown", reason, ticket_id)
