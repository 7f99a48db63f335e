"""Ticket events in; messages of feeds planned (docs/rules.md N3, N4). Touches our database only.

A comment, or the creation of a ticket, makes a message, and so do changes that some feed names; other changes of that
action are folded in. What an event cannot tell (names, the form, sometimes whether a comment is public) is read later,
where the message is made.
"""

from datetime import datetime, timedelta

import msgspec

from notifier import tables
from notifier.changes.events import changes_of, rating
from notifier.changes.records import Changes, Value
from notifier.feeds.merge import Action, CommentReport, Fact, FieldName, TicketFeed
from notifier.feeds.scheduling import MessageScheduler, Redaction, schedule_redaction
from notifier.policy.conditions import Actor
from notifier.policy.kinds import ASSIGNMENTS, COMMENTS, UPDATES
from notifier.policy.notifier import NotifierPolicy
from notifier.slack.text import clean, one_line
from supportops.contracts import (
    Change,
    FeedbackReceived,
    TicketClosed,
    TicketCommented,
    TicketCreated,
    TicketDeleted,
    TicketEvent,
    TicketMerged,
    TicketReopened,
    TicketSolved,
    TicketUndeleted,
    TicketUpdated,
)
from supportops.messaging import Handlers
from supportops.store import Transaction

# Zendesk's other changes never show in a message.
FOLDED = frozenset(
    {"status_changed", "subject_changed", "organization_changed", "form_changed", "tags_changed"}
    | {"priority_changed", "brand_changed", "group_assignment_changed"}
    | {"comment_made_private", "comment_redacted"}
)
_FACTS: tuple[tuple[FieldName, str], ...] = (
    ("status", "status"),
    ("title", "subject"),
    ("organization_id", "organization_id"),
    ("form_id", "form_id"),
    ("tags", "tags"),
    ("priority", "priority"),
    ("brand_id", "brand_id"),
    ("group_id", "group_id"),
    ("is_public", "is_public"),
)
_STATUS_AFTER: dict[type[TicketEvent], str] = {TicketSolved: "solved", TicketClosed: "closed"}
_DECODER = msgspec.json.Decoder(TicketFeed)


class FeedHandlers:
    """The handlers of the consumer group `notifier`."""

    def __init__(self, policy: NotifierPolicy, scheduler: MessageScheduler) -> None:
        self._policy = policy
        self._scheduler = scheduler
        self._keep_text = any(not feed.lookups for feed in policy.feeds)
        self._shows_own = any("own" in feed.actors for feed in policy.feeds)
        self._wanted = frozenset(kind for feed in policy.feeds for kind in feed.kinds) - COMMENTS
        assigned = {"assigned"} if self._wanted & ASSIGNMENTS else set()
        self._heard = self._wanted | assigned

    def table(self) -> Handlers:
        """Which event is handled by what."""
        handlers, reads = Handlers(), ((tables.feed_tickets, _ticket_id),)
        handlers.on(TicketCreated, self.on_created, reads)
        handlers.on(TicketCommented, self.on_commented, reads)
        handlers.on(TicketUpdated, self.on_updated, reads)
        handlers.on(TicketSolved, self.on_status, reads)
        handlers.on(TicketReopened, self.on_status, reads)
        handlers.on(TicketClosed, self.on_status, reads)
        for kind, event in (
            ("merged", TicketMerged),
            ("deleted", TicketDeleted),
            ("restored", TicketUndeleted),
        ):
            if kind in self._wanted:
                handlers.on(event, self.on_status, reads)
        if "rated" in self._wanted:
            handlers.on(FeedbackReceived, self.on_rated, ((tables.feed_tickets, _rated_ticket_id),))
        return handlers

    def on_created(self, event: TicketCreated, tx: Transaction) -> None:
        """A message for the new ticket; its text is the first comment."""
        self._merge_event(event, self._creation(event), tx)

    def on_commented(self, event: TicketCommented, tx: Transaction) -> None:
        """A message for the comment, unless one tells of it already."""
        comment = event.comment
        report = CommentReport(
            action=action_key(event),
            at=event.time,
            comment_id=comment.id,
            public=comment.is_public,
            person_id=comment.author_id,
            person=one_line(comment.author_name)[:200] if comment.author_name else None,
            text=self._text(comment.body),
            echo=_is_first_comment(event, self._policy.fold_window),
            actor=actor_of(event),
        )
        self._merge_event(event, report, tx)

    def on_status(self, event: TicketEvent, tx: Transaction) -> None:
        """Folded into the message of the same action, if there is one; one of its own where a feed wants it."""
        self._merge_event(event, None, tx)

    def on_updated(self, event: TicketUpdated, tx: Transaction) -> None:
        """The same for other changes; a comment that was made private or redacted changes its message."""
        if event.zendesk_type in FOLDED or UPDATES.get(event.zendesk_type) in self._heard:
            report = _withdrawal(event)
            self._merge_event(event, report, tx)
            self._redact(event, report, tx)

    def on_rated(self, event: FeedbackReceived, tx: Transaction) -> None:
        """A vote is an action of its own: it is told once, and what it is changed to changes its message."""
        key = f"s:rating:{event.rating_id}"
        changes = {"rated": rating(event)}
        action = Action(key, event.rated_at, event.requester_id, {}, "person", changes)
        self._fold(event.ticket_id, event.time, action, None, tx)

    def _redact(self, event: TicketUpdated, report: CommentReport | None, tx: Transaction) -> None:
        """What was posted is taken back also where the ticket's own record has forgotten it, and whoever did it."""
        if report is not None and report.comment_id is not None:
            redaction = Redaction(event.ticket_id, "comment", report.comment_id)
            schedule_redaction(
                tx, redaction, key=f"{event.ticket_id}:comment:{report.comment_id}:{event.version}"
            )
        if event.zendesk_type == "form_changed" and self._policy.never_forms:
            name = self._scheduler.form_name(event.ticket.form_id, tx.now)
            if name is None or self._policy.is_secret(name):
                redaction = Redaction(event.ticket_id, "form")
                schedule_redaction(tx, redaction, key=f"{event.ticket_id}:form:{event.version}")

    def _merge_event(self, event: TicketEvent, report: CommentReport | None, tx: Transaction) -> None:
        if not event.own_action or self._shows_own:
            action = _action(event, changes_of(event, self._wanted) if self._wanted else {})
            self._fold(event.ticket_id, event.time, action, report, tx)

    def _fold(
        self, ticket_id: str, time: datetime, action: Action, report: CommentReport | None, tx: Transaction
    ) -> None:
        if time < tx.now - self._policy.max_age:
            return
        rows, window = tx.rows(tables.feed_tickets), self._policy.fold_window
        stored = rows.get(ticket_id)
        feed = _DECODER.decode(stored["state"]) if stored else TicketFeed()
        changed = feed.fold(action, report, window)
        rows.put(ticket_id, state=msgspec.json.encode(feed).decode(), changed_at=tx.now)
        for item in changed:
            self._scheduler.schedule(tx, ticket_id, item, feed.content(item, window))

    def _creation(self, event: TicketCreated) -> CommentReport:
        ticket = event.ticket
        # The export tells of the ticket as it is now: public, perhaps, by a later comment than its first.
        sure = event.road == "native" or ticket.is_public is False
        return CommentReport(
            action=action_key(event),
            at=event.time,
            public=ticket.is_public if sure else None,
            person_id=event.actor_id or ticket.submitter_id or ticket.requester_id,
            text=self._text(ticket.description) if sure and ticket.is_public else None,
            actor=actor_of(event),
        )

    def _text(self, body: str | None) -> str | None:
        """The comment as stored; feeds that read Zendesk read it there, and then nothing is kept here."""
        return clean(body)[: self._policy.comment_length + 1] if self._keep_text and body else None


def action_key(event: TicketEvent) -> str:
    """What makes several events one action of one person: Zendesk's sequence, else actor and moment."""
    if event.sequence_id:
        return f"s:{event.sequence_id}"
    return f"a:{event.actor_id}:{event.time.isoformat()}"


def actor_of(event: TicketEvent) -> Actor:
    """Who acted: what Zendesk does by itself has no user's id (docs/vendors/zendesk.md#surprises)."""
    if event.own_action:
        return "own"
    return "person" if event.actor_id is None or event.actor_id.isdecimal() else "bot"


def _action(event: TicketEvent, changes: Changes) -> Action:
    status = _STATUS_AFTER.get(type(event))
    if isinstance(event, TicketReopened):
        status = event.current_status
    facts = {
        name: Fact(event.version, _storable(getattr(event.ticket, field)))
        for name, field in _FACTS
        if field in event.ticket.model_fields_set
    }
    if status is not None:
        facts["status"] = Fact(event.version, status)
    by = actor_of(event) if changes else None
    return Action(action_key(event), event.time, event.actor_id, facts, by, changes)


def _storable(value: Value) -> Value:
    return one_line(value)[:500] if isinstance(value, str) else value


def _withdrawal(event: TicketUpdated) -> CommentReport | None:
    """What `comment_made_private` and `comment_redacted` tell of the comment they name."""
    comment_id = _after(event.changes, "comment_id")
    if comment_id is None:
        return None
    private = event.zendesk_type == "comment_made_private"
    return CommentReport(
        action=action_key(event),
        at=event.time,
        comment_id=comment_id,
        public=False if private else None,
        redacted=None if private else True,
    )


def _after(changes: list[Change], field: str) -> str | None:
    values = (change.after for change in changes if change.field == field)
    return next((value for value in values if isinstance(value, str)), None)


def _is_first_comment(event: TicketCommented, window: timedelta) -> bool:
    """Whether the event alone shows that this comment opened the ticket: it is the ticket's description."""
    ticket, body = event.ticket, event.comment.body
    opened: datetime | None = ticket.created_at
    if not body or not ticket.description or opened is None or abs(event.time - opened) > window:
        return False
    return one_line(body) == one_line(ticket.description)


def _rated_ticket_id(event: FeedbackReceived) -> str:
    return event.ticket_id


def _ticket_id(event: TicketEvent) -> str:
    return event.ticket_id
