"""Trigger and automation bodies: what the Zendesk admin typed, placeholders filled in
(docs/vendors/zendesk.md#trigger-bodies). Pure.

Every value is text, words are display text, and nothing is escaped: a quote in a subject can break the
body or smuggle in a key, so a body that names a key twice is parked instead of believed.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from ingest.policy import Kind
from ingest.webhooks import fields
from ingest.webhooks.native import Unreadable
from supportops import contracts as c
from supportops.ticket_version import version_of

_MODELS: Final[Mapping[Kind, type[c.TicketEvent]]] = {
    "created": c.TicketCreated,
    "solved": c.TicketSolved,
    "reopened": c.TicketReopened,
    "closed": c.TicketClosed,
    "rated": c.TicketRated,
    "sla_changed": c.TicketSlaChanged,
    "updated": c.TicketUpdated,
}


_TIME_OF_DAY: Final = re.compile(r"[0-9]:[0-9]{2}|T[0-9]{2}")


class Body:
    """The texts of one trigger body; an empty one and an unfilled placeholder count as absent."""

    def __init__(self, raw: Mapping[str, object]) -> None:
        self._raw = raw

    def text(self, key: str) -> str | None:
        value = fields.as_text(self._raw.get(key))
        value = value.strip() if value else None
        return None if not value or "{{" in value else value

    def required(self, key: str) -> str:
        value = self.text(key)
        if value is None:
            raise Unreadable(f"no {key}")
        return value


def trigger_name(raw: Mapping[str, object]) -> str:
    """The trigger's name with hyphens and in lower case; "" when it has none."""
    return (Body(raw).text("trigger") or "").casefold().replace("_", "-").replace(" ", "-")


def semantic_hash(body: Body) -> str:
    """What dedupes two runs of one trigger: there is no event id (docs/vendors/zendesk.md#trigger-bodies)."""
    parts = (body.required("trigger"), body.required("ticket_id"), body.required("updated_at"))
    return hashlib.sha256("|".join((*parts, body.text("rating") or "")).encode()).hexdigest()


def event(
    raw: Mapping[str, object], account_id: str, kinds: Mapping[str, Kind], own: frozenset[str]
) -> c.Event:
    """The event of a trigger body. Raises Unreadable with the reason to park it."""
    body = Body(raw)
    body.required("trigger")
    ticket_id = fields.digits(body.required("ticket_id"))
    if ticket_id is None:
        raise Unreadable("ticket_id is not a number")
    said = body.required("updated_at")
    updated_at = fields.as_moment(said)
    if updated_at is None:
        raise Unreadable("updated_at is not a moment")
    if not _TIME_OF_DAY.search(said):  # at midnight the solve would be hours too early, and twice a day one
        raise Unreadable("updated_at has no time of day: use ticket.updated_at_with_timestamp")
    name = trigger_name(raw)
    kind: Kind = kinds.get(name, "updated")
    actor = fields.as_id(body.text("current_user_id"))
    base: dict[str, object] = {
        "id": semantic_hash(body),
        "source": f"/zendesk/{account_id}",
        "time": updated_at,
        "subject": ticket_id,
        "account_id": account_id,
        "ticket_id": ticket_id,
        "version": version_of(updated_at),
        "road": "trigger",
        "own_action": actor in own,
        "ticket": _snapshot(body, updated_at),
    }
    if actor is not None:
        base["actor_id"] = actor
    return _MODELS[kind].model_validate({**base, **_specific(kind, name, body, updated_at)})


def _snapshot(body: Body, updated_at: datetime) -> dict[str, object]:
    found: dict[str, object] = {"updated_at": updated_at}
    for key, name, read in (
        ("ticket_status", "status", fields.as_word),
        ("ticket_priority", "priority", fields.as_word),
        ("requester_id", "requester_id", fields.digits),
        ("organization_id", "organization_id", fields.digits),
        ("via", "via_channel", fields.as_word),
        ("tags", "tags", fields.as_tags),
    ):
        text = body.text(key)
        if text is not None and (value := read(text)) is not None:
            found[name] = value
    return found


def _specific(kind: Kind, name: str, body: Body, updated_at: datetime) -> dict[str, object]:
    if kind == "solved":
        # The body has no `solved_at`; the trigger fires on the solve, so this is within csat's 5 s for one solve.
        return {"solved_at": updated_at}
    if kind == "reopened":
        return {"current_status": fields.as_word(body.text("ticket_status")) or "open"}
    if kind == "rated":
        rating = fields.as_word(body.text("rating"))
        if rating is None:
            return {}
        return {"score": next((word for word in ("good", "bad") if rating.startswith(word)), rating)}
    if kind == "sla_changed":
        return {"what": name}
    if kind == "updated":
        return {"zendesk_type": f"trigger:{name}"}
    return {}
