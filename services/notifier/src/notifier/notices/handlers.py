"""Events that are told by notices: what is decided later, at the due moment, is only scheduled here."""

from datetime import timedelta

import msgspec

from notifier import tables
from notifier.destinations import NOTICES, TAGS
from notifier.notices.payloads import INTEGRITY, MERGED, RATING, SUCCESS, TAM, Notice
from notifier.policy.notices import NoticesPolicy
from notifier.posting.prepared import Note, schedule_note
from supportops.contracts import (
    FeedbackReceived,
    IntegrityChecked,
    RecordWritten,
    TicketCommented,
    TicketCreated,
    TicketEvent,
    TicketMerged,
    TicketReopened,
    TicketSolved,
)
from supportops.messaging import Handlers
from supportops.store import Transaction

FIRST_ARM = "created"


class NoticeHandlers:
    """The handlers of notices; `add` puts them into the group's table."""

    def __init__(self, policy: NoticesPolicy) -> None:
        self._policy = policy

    def add(self, handlers: Handlers) -> None:
        """Only what the rules want is listened to."""
        handlers.on(TicketMerged, self.on_merged)
        if self._policy.account_manager.enabled:
            handlers.on(RecordWritten, self.on_record)
        if self._policy.ratings is not None:
            handlers.on(FeedbackReceived, self.on_rating)
        if self._policy.integrity is not None:
            handlers.on(IntegrityChecked, self.on_integrity)
        if self._policy.success is not None:
            reads = ((tables.success_watches, lambda event: event.ticket_id),)
            handlers.on(TicketCreated, self.on_opened, reads)
            handlers.on(TicketReopened, self.on_opened, reads)
            handlers.on(TicketCommented, self.on_commented, reads)
            handlers.on(TicketSolved, self.on_solved, reads)

    def on_merged(self, event: TicketMerged, tx: Transaction) -> None:
        """The threads of both tickets point to each other."""
        if event.target_ticket_id is not None:
            data = {"target": event.target_ticket_id}
            self._schedule(
                tx, Notice(MERGED, event.ticket_id, data), f"{event.ticket_id}:{event.target_ticket_id}"
            )

    def on_record(self, event: RecordWritten, tx: Transaction) -> None:
        """S3, once per record; what an older writer does not tell is nobody's notice."""
        manager = event.technical_account_manager
        if event.created and manager is not None:
            account = event.account.name if event.account else ""
            data = {"email": manager.email or "", "name": manager.name or "", "account": account}
            self._schedule(tx, Notice(TAM, event.ticket_id, data), event.ticket_id)

    def on_rating(self, event: FeedbackReceived, tx: Transaction) -> None:
        """A bad one; changed from bad to bad it is told once."""
        if event.score == "bad":
            data = {"comment": event.comment or "", "reason": event.reason or ""}
            self._schedule(tx, Notice(RATING, event.ticket_id, data), f"{event.ticket_id}:{event.rating_id}")

    def on_integrity(self, event: IntegrityChecked, tx: Transaction) -> None:
        """With news: each run. Without: one a day, so that silence is never taken for health."""
        notice = self._policy.integrity
        if notice is None:
            return
        news = any(report.new or report.fixed for report in event.reports)
        mark = event.run_id if news else f"{event.checked_at:%Y-%m-%d}"
        data = event.model_dump(mode="json", include={"checked_at", "reports", "not_judged", "organizations"})
        note = Note(INTEGRITY, INTEGRITY, data=data)
        schedule_note(tx, note, channel=notice.channel, key=f"{notice.channel}:{INTEGRITY}:{mark}")

    def on_opened(self, event: TicketCreated | TicketReopened, tx: Transaction) -> None:
        """N6 begins to count."""
        if isinstance(event, TicketCreated):
            self._arm(tx, event, FIRST_ARM)
        else:
            self._arm(tx, event, f"reopened:{event.version}")

    def on_commented(self, event: TicketCommented, tx: Transaction) -> None:
        """An agent's public answer re-arms N6, and takes the tag away that tells people of the last notice."""
        if event.comment.is_public and event.comment.author_is_agent:
            self._arm(tx, event, event.comment.id)
            self._take_tag_away(tx, event)

    def on_solved(self, event: TicketSolved, tx: Transaction) -> None:
        """Nothing is due any more."""
        row = tx.rows(tables.success_watches).get(event.ticket_id)
        if row is not None and event.version > row["version"]:
            tx.deliveries.cancel(
                NOTICES, _success_key(event.ticket_id, row["arm"]), reason="the ticket is solved"
            )

    def _arm(self, tx: Transaction, event: TicketEvent, arm: str) -> None:
        success = self._policy.success
        rows = tx.rows(tables.success_watches)
        known = rows.get(event.ticket_id)
        if success is None or (known is not None and event.version <= known["version"]):
            return
        if known is not None:
            reason = "the ticket was answered or reopened"
            tx.deliveries.cancel(NOTICES, _success_key(event.ticket_id, known["arm"]), reason=reason)
        rows.put(event.ticket_id, arm=arm, version=event.version, armed_at=event.time)
        # Hours of business pass no faster than those of the clock, so nothing can be due before.
        soonest = min(success.breached_after, max(success.open_after, success.quiet_for))
        key = _success_key(event.ticket_id, arm)
        payload = msgspec.to_builtins(Notice(SUCCESS, event.ticket_id, {"arm": arm}))
        due_at = max(event.time, tx.now - timedelta(days=1)) + soonest
        tx.deliveries.schedule(
            NOTICES, key, lane=f"{SUCCESS}:{event.ticket_id}", payload=payload, due_at=due_at
        )

    def _take_tag_away(self, tx: Transaction, event: TicketCommented) -> None:
        tag = self._policy.success.tag if self._policy.success else None
        if tag is not None and (event.ticket.tags is None or tag in event.ticket.tags):
            payload = {"ticket_id": event.ticket_id, "tag": tag, "remove": True}
            key = f"{SUCCESS}:{event.ticket_id}:{event.comment.id}:off"
            tx.deliveries.schedule(TAGS, key, lane=event.ticket_id, payload=payload)

    def _schedule(self, tx: Transaction, notice: Notice, mark: str) -> None:
        payload = msgspec.to_builtins(notice)
        tx.deliveries.schedule(NOTICES, f"{notice.kind}:{mark}", lane=notice.ticket_id, payload=payload)


def _success_key(ticket_id: str, arm: str) -> str:
    return f"{SUCCESS}:{ticket_id}:{arm}"
