"""`salesforce.ticket_comment`: one child record per public comment, where the rules want them; private ones never.

A delivery only names the comment. It is read when its turn comes, so that one that is private or gone by then is not
written, and no text of a customer waits in our database. Twice is as good as once: the write is an upsert by its id.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from sfdc_sync.destinations import TICKET_COMMENT
from sfdc_sync.policy.fields import FieldRule
from sfdc_sync.policy.sfdc import SfdcPolicy
from sfdc_sync.policy.ticket_records import CommentRecordPolicy, TicketRecordPolicy
from sfdc_sync.salesforce.responses import ErrorAction, Record
from sfdc_sync.ticket_records.batch import (
    Batch,
    RecordKeeper,
    outcome_of,
    pause_when_all_wait,
    wait_for_quota,
)
from sfdc_sync.ticket_records.decisions import Ticket
from sfdc_sync.ticket_records.facts import Directory
from sfdc_sync.ticket_records.fit import fit
from sfdc_sync.ticket_records.mapping import external_id
from sfdc_sync.ticket_records.repository import load_tickets
from supportops.delivery import Cancel, Delivery, DestinationSpec, Done, Outcome, Snooze
from supportops.errors import Permanent
from supportops.store import Store
from supportops.vendors.zendesk import Comment

AT_ONCE, SOON, LATER = timedelta(minutes=1), timedelta(seconds=5), timedelta(minutes=10)
TOO_OLD = timedelta(days=30)
"""After so long nobody waits any more for a ticket to have a record."""


class Comments(Protocol):
    """What we need of Zendesk (`supportops.vendors.zendesk.Zendesk`)."""

    async def latest_comments(self, ticket_id: str) -> list[Comment]:
        """The newest comments of a ticket, public and private; none when it is gone."""
        ...


class TicketComments:
    """The destination. One call at a time, since children lock their parent."""

    def __init__(
        self,
        store: Store,
        salesforce: RecordKeeper,
        sources: tuple[Comments, Directory],
        policy: SfdcPolicy,
        *,
        call_timeout: timedelta,
    ) -> None:
        self._store, self._salesforce, self._policy = store, salesforce, policy
        self._comments, self._directory = sources
        self._rules = policy.ticket_record.comments
        self._patience = call_timeout * 2
        self.spec = DestinationSpec(
            TICKET_COMMENT,
            batch=policy.batch,
            linger=policy.linger,
            concurrency=1,
            timeout=call_timeout * 8,
            schedule=policy.retry,
            idempotent=True,  # the same upsert again gives the same record
        )

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome | BaseException]:
        """Write the comments named, as they stand in Zendesk now; `outcome_of` says what each answer means."""
        tickets = await load_tickets(self._store, {_ticket_of(each) for each in deliveries})
        outcomes: dict[str, Outcome | BaseException] = {}
        comments: dict[str, Comment] = {}
        for delivery in deliveries:
            found: Comment | Outcome | Permanent
            try:
                found = await self._look(delivery, tickets.get(_ticket_of(delivery)))
            except Permanent as error:  # Zendesk does not show this ticket's comments: the others' go on
                found = error
            if isinstance(found, Comment):
                comments[delivery.id] = found
            else:
                outcomes[delivery.id] = found
        due = [each for each in deliveries if each.id in comments]
        if due:
            outcomes |= await self._write(due, comments)
        return [outcomes[each.id] for each in deliveries]

    async def _look(self, delivery: Delivery, ticket: Ticket | None) -> Comment | Outcome:
        """The comment, or why it is not written (now)."""
        if ticket is None or ticket.deleted:
            return Cancel("the ticket is deleted, or nothing is known of it")
        if not ticket.record_id:
            age = self._store.clock.now() - delivery.created_at
            if age > TOO_OLD:
                return Cancel("its ticket has had no record for a month")
            return Snooze(SOON if age < AT_ONCE else LATER, "its ticket has no record yet")
        wanted = str(delivery.payload["comment_id"])
        latest = await self._comments.latest_comments(ticket.ticket_id)
        comment = next((each for each in latest if each.id == wanted), None)
        if comment is None:
            return Cancel("the comment is not among the ticket's newest any more")
        return comment if comment.public else Cancel("the comment is private by now")

    async def _write(self, due: Sequence[Delivery], comments: Mapping[str, Comment]) -> dict[str, Outcome]:
        wait_for_quota(self._salesforce, self._policy, self._store.clock.now())
        authors = {comment.author_id for comment in comments.values() if comment.author_id}
        people = await self._directory.requesters(authors)
        names = {key: str(known.get("requester_name") or "") for key, known in people.items()}
        records = [self._record(_ticket_of(each), comments[each.id], names) for each in due]
        deadline = asyncio.get_running_loop().time() + self._patience.total_seconds()
        results = await Batch(self._salesforce, _names_of(self._rules), deadline).send(records)
        pause_when_all_wait(results, self._policy.pauses)
        return {
            each.id: Done({"record_id": result.record_id, "created": result.created})
            if result.reaction is ErrorAction.WRITTEN
            else outcome_of(result, self._policy.pauses, last=each.attempts > len(self._policy.retry))
            for each, result in zip(due, results, strict=True)
        }

    def _record(self, ticket_id: str, comment: Comment, names: Mapping[str, str]) -> Record:
        rules, ticket = self._rules, self._policy.ticket_record
        text = FieldRule(source="description", type="long_text", max_length=rules.max_length)
        record: Record = {
            "attributes": {"type": rules.object},
            rules.external_id: comment.id,
            rules.ticket: {ticket.external_id: external_id(ticket, ticket_id)},
            rules.body: fit(text, comment.body).value,
        }
        if rules.author and (name := names.get(comment.author_id or "")):
            record[rules.author] = fit(FieldRule(source="requester_name", max_length=255), name).value
        if rules.created_at and comment.created_at:
            moment = FieldRule(source="created_at", type="datetime")
            record[rules.created_at] = fit(moment, comment.created_at.isoformat()).value
        return record


def _names_of(rules: CommentRecordPolicy) -> TicketRecordPolicy:
    """The names that a batch needs: object, external id, and fields, none of which is a lookup to leave out."""
    text = FieldRule(source="description", type="long_text")
    return TicketRecordPolicy(object=rules.object, external_id=rules.external_id, fields={rules.body: text})


def _ticket_of(delivery: Delivery) -> str:
    return str(delivery.payload["ticket_id"])
