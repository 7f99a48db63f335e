"""Records as REST shows them (docs/vendors/zendesk.md): numbers for ids, lower-case enums, whole seconds."""

from typing import Any

from sandbox.clock import NANOS, iso_seconds
from sandbox.web import Json
from sandbox.zendesk.records import Audit, Comment, Named, Organization, Rating, Ticket, TicketField, User


def _stamp(ns: int | None) -> str | None:
    return None if ns is None else iso_seconds(ns)


def ticket(base: str, t: Ticket) -> Json:
    custom = [{"id": key, "value": value} for key, value in t.custom_fields.items()]
    parent = t.via_followup_source_id
    source: Json = {"from": {"ticket_id": parent} if parent else {}, "to": {}}
    source["rel"] = "follow_up" if parent else None
    return {
        "url": f"{base}/tickets/{t.id}.json",
        "id": t.id,
        "external_id": t.external_id,
        "via": {"channel": t.via, "source": source},
        "created_at": iso_seconds(t.created_at),
        "updated_at": iso_seconds(t.updated_at),
        "generated_timestamp": t.generated_at // NANOS,
        "type": t.type,
        "subject": t.subject,
        "raw_subject": t.subject,
        "description": t.description,
        "priority": t.priority,
        "status": t.status,
        "recipient": t.recipient,
        "requester_id": t.requester_id,
        "submitter_id": t.submitter_id,
        "assignee_id": t.assignee_id,
        "organization_id": t.organization_id,
        "group_id": t.group_id,
        "collaborator_ids": [*t.follower_ids, *t.email_cc_ids],
        "follower_ids": t.follower_ids,
        "email_cc_ids": t.email_cc_ids,
        "forum_topic_id": None,
        "problem_id": t.problem_id,
        "has_incidents": False,
        "is_public": t.is_public,
        "due_at": t.due_at,
        "tags": t.tags,
        "custom_fields": custom,
        "fields": custom,
        "satisfaction_rating": satisfaction(t.satisfaction),
        "sharing_agreement_ids": [],
        "custom_status_id": t.custom_status_id,
        "followup_ids": t.followup_ids if t.status == "closed" else [],
        "ticket_form_id": t.ticket_form_id,
        "brand_id": t.brand_id,
        "allow_channelback": False,
        "allow_attachments": True,
        "from_messaging_channel": False,
    }


def satisfaction(value: Rating | str | None) -> Json | None:
    if value is None:
        return None
    if isinstance(value, str):
        return {"score": value}
    shown: Json = {"id": value.id, "score": value.score, "comment": value.comment}
    if value.score == "bad":
        shown |= {"reason": value.reason, "reason_id": value.reason_id}
    return shown


def rating(base: str, r: Rating) -> Json:
    shown: Json = {
        "url": f"{base}/satisfaction_ratings/{r.id}.json",
        "id": r.id,
        "assignee_id": r.assignee_id,
        "group_id": r.group_id,
        "requester_id": r.requester_id,
        "ticket_id": r.ticket_id,
        "score": r.score,
        "comment": r.comment,
        "created_at": iso_seconds(r.created_at),
        "updated_at": iso_seconds(r.updated_at),
    }
    return shown | ({"reason": r.reason, "reason_id": r.reason_id} if r.score == "bad" else {})


def comment(c: Comment) -> Json:
    return {
        "id": c.id,
        "type": "Comment",
        "author_id": c.author_id,
        "body": c.body,
        "html_body": c.html_body,
        "plain_body": c.body,
        "public": c.public,
        "attachments": [],
        "audit_id": c.audit_id,
        "via": {"channel": c.via, "source": {"from": {}, "to": {}, "rel": None}},
        "created_at": iso_seconds(c.created_at),
        "metadata": {"system": {}, "custom": {}},
    }


def audit(a: Audit) -> Json:
    return {
        "id": a.id,
        "ticket_id": a.ticket_id,
        "created_at": iso_seconds(a.created_at),
        "author_id": a.author_id,
        "metadata": {"system": {}, "custom": {}},
        "events": a.events,
        "via": {"channel": "api", "source": {"from": {}, "to": {}, "rel": a.rel}},
    }


def user(base: str, u: User) -> Json:
    return {
        "url": f"{base}/users/{u.id}.json",
        "id": u.id,
        "name": u.name,
        "email": u.email,
        "created_at": iso_seconds(u.created_at),
        "updated_at": iso_seconds(u.updated_at),
        "time_zone": u.time_zone,
        "iana_time_zone": u.iana_time_zone,
        "locale": u.locale,
        "organization_id": u.organization_id,
        "role": u.role,
        "verified": True,
        "external_id": u.external_id,
        "tags": u.tags,
        "active": u.active,
        "suspended": u.suspended,
        "ticket_restriction": u.ticket_restriction,
        "custom_role_id": u.custom_role_id,
        "user_fields": u.user_fields,
    }


def organization(base: str, o: Organization) -> Json:
    return {
        "url": f"{base}/organizations/{o.id}.json",
        "id": o.id,
        "name": o.name,
        "shared_tickets": o.shared_tickets,
        "shared_comments": o.shared_comments,
        "external_id": o.external_id,
        "created_at": iso_seconds(o.created_at),
        "updated_at": iso_seconds(o.updated_at),
        "domain_names": o.domain_names,
        "details": o.details,
        "notes": o.notes,
        "group_id": o.group_id,
        "tags": o.tags,
        "organization_fields": o.organization_fields,
    }


def named(base: str, kind: str, record: Named) -> Json:
    return {
        "url": f"{base}/{kind}/{record.id}.json",
        "id": record.id,
        "name": record.name,
        "display_name": record.name,
        "active": record.active,
        "default": False,
    }


def field(base: str, f: TicketField) -> Json:
    shown: Json = {"url": f"{base}/ticket_fields/{f.id}.json", "id": f.id, "title": f.title, "type": f.type}
    return shown | {"active": True, "required": f.required}


def metric_set(base: str, t: Ticket) -> Json:
    """Only what our readers use is exact: solved_at, reopens, replies and the latest comment's time."""
    replies = sum(1 for c in t.comments[1:] if c.public)
    latest: Any = t.comments[-1].created_at if t.comments else None
    return {
        "url": f"{base}/ticket_metrics/{t.id}.json",
        "id": t.id,
        "ticket_id": t.id,
        "reopens": t.reopens,
        "replies": replies,
        "created_at": iso_seconds(t.created_at),
        "updated_at": iso_seconds(t.updated_at),
        "assigned_at": _stamp(t.assigned_at),
        "solved_at": _stamp(t.solved_at) if t.status in ("solved", "closed") else None,
        "latest_comment_added_at": _stamp(latest),
    }
