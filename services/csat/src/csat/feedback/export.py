"""One issue per ticket with feedback: made once, then brought up to date when the customer changes the answer.

What counts is read when the delivery is executed. A delivery for an older answer is moot: that of the newer one
follows in the same lane.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from csat.destinations import FEEDBACK
from csat.feedback.issue_content import Subject, Writer, comment_hash
from csat.feedback.issue_search import find_issue, is_noted
from csat.feedback.repository import (
    Export,
    Known,
    Names,
    comment_of,
    known_of,
    record_issue,
    record_skipped,
)
from csat.policy.feedback import FeedbackPolicy
from csat.ratings.repository import Rating
from supportops.delivery import Budget, Cancel, Delivery, DestinationSpec, Done, Outcome, Rate
from supportops.delivery.destination import SCHEDULE
from supportops.delivery.pausing import quota_pauses_all
from supportops.observability.logging import get_logger
from supportops.observability.metrics import Recorder
from supportops.store import Store, Transaction
from supportops.vendors.gitlab import GitLab, Issue
from supportops.vendors.zendesk import Audit, Ticket, tag_history

OFF = "feedback is not exported: csat.feedback.project, GITLAB_BASE_URL and GITLAB_TOKEN are not all set"
BY_OTHERS = "exported by somebody else: the ticket had the tag before we made an issue"
PATIENT = (*SCHEDULE, *(timedelta(hours=6),) * 11)
"""A GitLab that is away for a weekend loses nothing."""

log = get_logger("csat.feedback")


class Tickets(Protocol):
    """The part of Zendesk that the export reads."""

    async def ticket(self, ticket_id: str) -> Ticket | None: ...
    async def audits(self, ticket_id: str) -> list[Audit]: ...


class TicketNames(Protocol):
    """Form and plan of a ticket as it is now, for one whose solve nobody described yet."""

    async def names(self, ticket: Ticket) -> Names: ...


@dataclass(frozen=True)
class _Work:
    """An answer whose issue has to be made or changed; `marker` recognises that issue."""

    rating: Rating
    known: Known
    marker: str


@dataclass(frozen=True)
class FeedbackSources:
    """Where the export reads what it writes: tickets as they are now, and the names that labels are made of."""

    tickets: Tickets
    names: TicketNames


class ExportFeedback:
    """Makes the issue of a ticket's rating, or changes it (C11). `gitlab` None: nothing is exported."""

    def __init__(
        self,
        store: Store,
        sources: FeedbackSources,
        gitlab: GitLab | None,
        writer: Writer,
        policy: FeedbackPolicy,
        metrics: Recorder,
    ) -> None:
        budget = Budget("gitlab.issues", Rate(policy.issues_per_minute, timedelta(minutes=1)))
        self.spec = DestinationSpec(FEEDBACK, schedule=PATIENT, timeout=timedelta(minutes=2), budget=budget)
        self._store, self._gitlab, self._metrics = store, gitlab, metrics
        self._tickets, self._names = sources.tickets, sources.names
        self._writer, self._policy = writer, policy

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """One outcome per answer: its issue is made or changed, or need not be."""
        with quota_pauses_all():
            return [await self._export(delivery) for delivery in deliveries]

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:
        """Whether the issue, or the note on it, was made although nobody told us."""
        if self._gitlab is None:
            return Cancel(OFF)
        work = await self._work(delivery)
        if isinstance(work, Cancel):
            return work
        with quota_pauses_all():
            issue, export = await self._issue_of(self._gitlab, work)
            if export is None or export.iid is None:
                return None
            if export.revision < work.rating.revision and not await is_noted(
                self._gitlab, export.iid, work.marker, work.rating.revision
            ):
                return None
            return self._done(work, issue or await self._gitlab.issue(export.iid), "found")

    async def _export(self, delivery: Delivery) -> Outcome:
        if self._gitlab is None:
            return Cancel(OFF)
        work = await self._work(delivery)
        if isinstance(work, Cancel):
            return work
        _, export = await self._issue_of(self._gitlab, work, thorough=work.rating.revision > 1)
        if export is not None and export.iid is not None:
            return await self._change(self._gitlab, work, export.iid, export)
        return await self._create(self._gitlab, work)

    async def _work(self, delivery: Delivery) -> _Work | Cancel:
        """What is to be done about the answer that counts now; Moot: nothing."""
        async with self._store.reading() as conn:
            known = await known_of(conn, delivery.payload["ticket_id"])
        rating, export = known.rating, known.export
        if rating is None:
            return Cancel("there is no answer any more")
        if rating.revision > int(delivery.payload["revision"]):
            return Cancel(f"answer {rating.revision} counts by now")
        if export is not None and export.skipped:
            return Cancel(export.skipped)
        if export is not None and export.revision >= rating.revision:
            return Cancel("its issue shows this answer")
        return _Work(rating, known, self._writer.marker(rating.ticket_id, rating.rating_id))

    async def _issue_of(
        self, gitlab: GitLab, work: _Work, *, thorough: bool = True
    ) -> tuple[Issue | None, Export | None]:
        """The issue that our table or, if `thorough`, GitLab itself knows of; the former without its contents."""
        if work.known.export is not None or not thorough:
            return None, work.known.export
        since = work.known.first_at or work.rating.rated_at
        found = await find_issue(gitlab, work.marker, since=since, now=self._store.clock.now())
        if found is None:
            return None, None
        async with self._store.reading() as conn:
            comment = await comment_of(conn, work.rating.ticket_id, found.answer_number)
        return found.issue, Export(str(found.issue.iid), found.answer_number, comment_hash(comment))

    async def _create(self, gitlab: GitLab, work: _Work) -> Outcome:
        rating = work.rating
        if rating.answer.score == "good" and not rating.answer.comment:
            return Cancel("a good rating without a comment, and no issue yet")
        ticket = await self._tickets.ticket(rating.ticket_id)
        if ticket is not None and await self._exported_by_others(ticket):
            self._metrics.count("feedback_issues", outcome="skipped")
            return Cancel(BY_OTHERS, lambda tx: record_skipped(tx, rating, BY_OTHERS))
        draft = self._writer.draft(await self._subject(work, ticket))
        issue = await gitlab.create(draft)
        self._check(work, issue, draft.labels, confidential=draft.confidential)
        return self._done(work, issue, "created")

    async def _change(self, gitlab: GitLab, work: _Work, iid: str, export: Export) -> Outcome:
        """Labels first: they may be set twice. The note comes last, and says that all is done."""
        answer = work.rating.answer
        labels = self._writer.answer_labels(answer)
        issue = await gitlab.label(iid, add=labels, remove=self._writer.withdrawn_labels(answer))
        self._check(work, issue, labels)
        news = bool(answer.comment) and comment_hash(answer.comment) != export.noted_comment
        subject = _subject_of(work.rating, "", Names("", ""))
        await gitlab.note(iid, self._writer.note(subject, with_comment=news))
        return self._done(work, issue, "updated")

    async def _subject(self, work: _Work, ticket: Ticket | None) -> Subject:
        names = work.known.names
        if names is None:
            names = await self._names.names(ticket) if ticket is not None else Names("", "")
        title = (ticket.subject if ticket is not None else None) or ""
        return _subject_of(work.rating, title, names)

    async def _exported_by_others(self, ticket: Ticket) -> bool:
        """Whether the tag was put on this very ticket; a follow-up is born with its parent's tags (C5)."""
        tag = self._policy.tag
        if tag not in ticket.tags:
            return False
        if not ticket.is_follow_up:
            return True
        history = tag_history(await self._tickets.audits(ticket.id))
        return tag in history.added_later or tag not in history.born_with

    def _check(
        self, work: _Work, issue: Issue, labels: tuple[str, ...], *, confidential: bool = False
    ) -> None:
        """GitLab drops in silence what the token's user may not set: say it aloud.

        See docs/vendors/gitlab.md#issues-and-notes.
        """
        lost = sorted(set(labels) - set(issue.labels))
        exposed = confidential and not issue.confidential
        if lost or exposed:
            self._metrics.count("feedback_issues", outcome="incomplete")
            log.error(
                "feedback.incomplete",
                ticket_id=work.rating.ticket_id,
                iid=issue.iid,
                lost_labels=lost,
                not_confidential=exposed,
            )

    def _done(self, work: _Work, issue: Issue, how: str) -> Done:
        self._metrics.count("feedback_issues", outcome=how)

        async def then(tx: Transaction) -> None:
            await record_issue(tx, work.rating, issue, work.marker)

        result = {"project_id": issue.project_id, "iid": issue.iid, "url": issue.web_url, "how": how}
        return Done(result, then)


def _subject_of(rating: Rating, title: str, names: Names) -> Subject:
    return Subject(
        ticket_id=rating.ticket_id,
        rating_id=rating.rating_id,
        answer=rating.answer,
        answer_number=rating.revision,
        title=title,
        form=names.form,
        plan=names.plan,
    )
