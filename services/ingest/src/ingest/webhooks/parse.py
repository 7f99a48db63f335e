"""What does a signed body say? Pure: no I/O, no clock of its own.

`read` never raises: every body ends as published (our events), ignored (well-formed, not ours) or parked
(ours, but unreadable: for people to look at). Which reader it gets is decided by its road (decision 109).
What Zendesk sends: docs/vendors/zendesk.md#event-bodies.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec
from pydantic import ValidationError

from ingest import policy
from ingest.webhooks import fields, native, triggers
from ingest.webhooks.body import load
from ingest.webhooks.native import NativeEvent, Unreadable
from supportops.contracts import Event
from supportops.ticket_version import version_of

Disposition = Literal["published", "ignored", "parked"]
Road = Literal["native", "trigger"]

# Where each kind of webhook posts to. The path is ours to give: nobody who writes into a body can change it.
PATHS: Final[Mapping[str, Road]] = {"/webhooks/zendesk": "native", "/webhooks/zendesk/triggers": "trigger"}
MISDIRECTED: Final = (
    "a trigger's body on the path of event subscriptions: let its webhook post to /webhooks/zendesk/triggers"
)

_ZENDESK: Final = "zen:event-type"
_TYPE: Final = re.compile(r"zen:event-type[:/]([a-z0-9_]+)\.([a-z0-9_]+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Account:
    """Whose bodies these are: account id, our integration users, what the admin's triggers are called, our memory."""

    id: str
    integration_users: frozenset[str] = frozenset()
    trigger_kinds: Mapping[str, policy.Kind] = field(default_factory=lambda: policy.DEFAULT_KINDS)
    memory: timedelta = timedelta(days=30)  # how long the raw log remembers keys


class ParsedWebhook(msgspec.Struct, frozen=True):
    """What became of a body. `key` dedupes; `kind`: `ticket.created` and the like, or `trigger:<name>`."""

    disposition: Disposition
    key: str
    kind: str
    reason: str = ""
    ticket_id: str | None = None
    events: tuple[Event, ...] = ()


def road_of(path: str | None, kind: str = "") -> Road:
    """The road of a stored body, by the path it was posted to.

    Bodies from before there were two paths have none; what was then read as a trigger's (`kind`) still is.
    """
    if path is None:
        return "trigger" if kind.startswith("trigger:") else "native"
    return PATHS.get(path, "native")


def read(
    body: bytes, road: Road, account: Account, received_at: datetime, now: datetime | None = None
) -> ParsedWebhook:
    """What a verified body says. Never raises; a reason never quotes the body.

    The road chooses the reader, never the content: customers write into trigger bodies. Times are held against
    `now`, which is `received_at` unless the body is read again.
    """
    raw: dict[str, object] = {}
    try:
        raw = load(body)
        moments = _Moments(received_at, now or received_at)
        if road == "trigger":
            return _read_trigger(raw, account, moments)
        return _read_native(raw, account, moments)
    except Unreadable as error:
        return parked(body, _kind(raw, road), str(error), _ticket_id(raw, road))
    except RecursionError:
        return parked(body, _kind(raw, road), "nested too deeply")
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_url=False, include_input=False)[0]["loc"]))
        return parked(body, _kind(raw, road), f"unexpected shape of {where}"[:200], _ticket_id(raw, road))


class _Moments(msgspec.Struct, frozen=True):
    """When a body came, and what time it is."""

    received_at: datetime
    now: datetime

    def plausible(self, moment: datetime | None, name: str) -> datetime | None:
        """The moment, or None for none. Raises Unreadable when it cannot be true."""
        if moment is not None and moment.year < fields.EARLIEST_YEAR:
            raise Unreadable(f"{name} cannot be true")
        return self.past(moment, name)

    def past(self, moment: datetime | None, name: str) -> datetime | None:
        """The same, however long ago: tickets are imported with the dates that another system gave them."""
        if moment is not None and moment - self.now > fields.AHEAD:
            raise Unreadable(f"{name} cannot be true")
        return moment


def _read_native(raw: dict[str, object], account: Account, moments: _Moments) -> ParsedWebhook:
    type_ = raw.get("type")
    if not isinstance(type_, str) or not type_.startswith(_ZENDESK):
        raise Unreadable(MISDIRECTED if "trigger" in raw else "no event type")
    match = _TYPE.fullmatch(type_)
    event_id = fields.as_id(raw.get("id"))
    if event_id is None:
        raise Unreadable("no event id")
    domain, name = match.groups() if match else ("", "")
    kind = f"{domain}.{name}"[:100] if match else "unknown"
    build = native.TYPES.get(domain, {}).get(name)
    if build is None:
        return ParsedWebhook("ignored", f"event:{event_id}", kind, "not one of our types")
    if fields.as_id(raw.get("account_id")) != account.id:
        raise Unreadable("another account")
    native_event = _native_event(raw, _Named(domain, name, event_id), account, moments)
    ticket_id = native_event.subject_id if domain == "ticket" else None
    return ParsedWebhook("published", f"event:{event_id}", kind, "", ticket_id, build(native_event))


class _Named(msgspec.Struct, frozen=True):
    """What a native event is called: `zen:event-type:<domain>.<name>`, and its own id."""

    domain: str
    name: str
    event_id: str


def _native_event(raw: dict[str, object], named: _Named, account: Account, moments: _Moments) -> NativeEvent:
    detail, event = raw.get("detail"), fields.mapping(raw.get("event"))
    if not isinstance(detail, dict):
        raise Unreadable("no detail")
    subject_id = _subject_id(raw, detail, named.domain)
    updated_at = moments.plausible(fields.as_moment(detail.get("updated_at")), "detail.updated_at")
    moments.past(fields.as_moment(detail.get("created_at")), "detail.created_at")
    said = moments.plausible(fields.as_moment(raw.get("time")), "time")
    time = said or updated_at or moments.received_at
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
            ("sequence_id", fields.as_id(sequence.get("id"))),
            ("sequence_position", position),
        ):
            if value is not None:
                base[key] = value
    elif named.domain == "user":
        base.update(user_id=subject_id)
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


def _read_trigger(raw: dict[str, object], account: Account, moments: _Moments) -> ParsedWebhook:
    event = triggers.event(raw, account.id, account.trigger_kinds, account.integration_users)
    moments.plausible(event.time, "updated_at")
    return ParsedWebhook(
        "published", f"trigger:{event.id}", _kind(raw, "trigger"), "", event.subject, (event,)
    )


def _kind(raw: Mapping[str, object], road: Road) -> str:
    type_ = raw.get("type")
    if road == "native" and isinstance(type_, str) and type_.startswith(_ZENDESK):
        match = _TYPE.fullmatch(type_)
        return f"{match[1]}.{match[2]}"[:100] if match else "unknown"
    name = triggers.trigger_name(raw)
    return f"trigger:{name}"[:100] if name else "unknown"


def _ticket_id(raw: Mapping[str, object], road: Road) -> str | None:
    """For people who look for a ticket's webhooks: the best we can tell, also from a body that is parked."""
    type_ = raw.get("type")
    if road == "trigger" or not isinstance(type_, str):
        return fields.digits(raw.get("ticket_id"))
    return fields.digits(fields.mapping(raw.get("detail")).get("id")) if "ticket." in type_ else None


def parked(body: bytes, kind: str, reason: str, ticket_id: str | None = None) -> ParsedWebhook:
    """A body for people to look at; its bytes are its key."""
    key = f"body:{hashlib.sha256(body).hexdigest()}"
    return ParsedWebhook("parked", key, kind or "unknown", reason, ticket_id)
