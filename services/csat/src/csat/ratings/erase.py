"""`csat erase`: one person's data leaves csat's database; the numbers stay what they are.

What is personal here: the requester's id in Zendesk (tickets, surveys, ratings, requesters) and the words of comments
(ratings, answers; their hash in issues). Scores, reasons and dates stay without it. A survey that is still to come is
called off (rule `erased`), links that were sent open nothing any more. An opt-out is kept under the bare id and nothing
beside it: it is the person's own wish, and without it they would be asked again.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, Table, Update, delete, select, union, update
from uuid_utils import uuid7

from csat import tables
from csat.destinations import FEEDBACK, NATIVE_RATING, SURVEY
from csat.ratings.retention import without_comment
from csat.surveys import repository
from csat.surveys.exclusion_rules import Decision
from csat.surveys.people import accounts_of
from supportops.contracts import FeedbackReceived
from supportops.store import Store, Transaction
from supportops.store.tables import active

CALLED_OFF = Decision(False, "erased", "the requester's data was erased on request")

ELSEWHERE = (
    "Zendesk: the person's tickets, comments and ratings; erase there first, else `csat backfill` reads them again",
    "Kafka: events of the last 14 days (topics zendesk.tickets and csat.feedback) end by the topics' retention",
    "ingest's raw log of webhooks (its `keep_webhooks`), Salesforce records, Slack messages",
    "backups of csat's database, and of its logs (they hold ids of tickets, never words of customers)",
)


@dataclass
class Erased:
    """What was removed: rows by table and what of them; issues in GitLab that show what the person wrote."""

    requester_id: str
    tickets: list[str]
    removed: dict[str, int] = field(default_factory=dict)
    issues: list[str] = field(default_factory=list)
    in_flight: int = 0
    """Calls for these tickets that a worker is making right now: run the command again when they have ended."""
    opted_out: bool = False
    accounts: list[str] = field(default_factory=list)
    """All ids of the person: accounts that were merged in Zendesk are one person."""


async def erase(store: Store, requester_id: str, *, dry_run: bool = False) -> Erased:
    """Remove what csat's database holds of a person; run again it finds nothing more."""
    erased = Erased(requester_id, [])
    async with store.rehearsal() if dry_run else store.transaction() as tx:
        erased.accounts = await accounts_of(tx, requester_id)
        erased.tickets = await _tickets_of(tx, erased.accounts)
        await _answers(tx, erased)
        await _calls(tx, erased)
        await _surveys(tx, erased)
        await _person(tx, erased)
    return erased


async def _tickets_of(tx: Transaction, accounts: list[str]) -> list[str]:
    """The tickets of the person that we know of, by whichever table still names them."""
    named = (tables.tickets, tables.surveys, tables.ratings)
    queries: list[Select[Any]] = [
        select(table.c.ticket_id).where(table.c.requester_id.in_(accounts)) for table in named
    ]
    return sorted((await tx.read(union(*queries))).scalars())


async def _answers(tx: Transaction, erased: Erased) -> None:
    """Words and ids leave the ratings and their history; locked in the order of ids, as a vote locks them."""
    await tx.load(tables.surveys, erased.tickets)
    await tx.load(tables.ratings, erased.tickets)
    ratings, answers, issues = tables.ratings, tables.answers, tables.issues
    personal = ratings.c.comment.is_not(None) | ratings.c.requester_id.is_not(None)
    blank = update(ratings).values(comment=None, requester_id=None)
    erased.removed["ratings: comment, requester"] = await _on(tx, blank, ratings, erased, personal)
    wordless = update(answers).values(comment=None)
    erased.removed["answers: comment"] = await _on(
        tx, wordless, answers, erased, answers.c.comment.is_not(None)
    )
    await without_comment(tx, erased.tickets)
    shown = select(issues.c.web_url).where(issues.c.ticket_id.in_(erased.tickets))
    erased.issues = [url for url in (await tx.read(shown)).scalars() if url]
    unhashed = update(issues).values(noted_comment=None)
    erased.removed["issues: hash of the comment"] = await _on(
        tx, unhashed, issues, erased, issues.c.noted_comment.is_not(None)
    )


async def _calls(tx: Transaction, erased: Erased) -> None:
    """Nothing is told, asked or read about these tickets any more; what was not published yet is not."""
    deliveries, outbox = tx.tables.deliveries, tx.tables.outbox
    mine = deliveries.c.lane.in_(erased.tickets) & active(deliveries)
    wanted = deliveries.c.destination.in_((FEEDBACK, NATIVE_RATING, SURVEY))
    rows = (await tx.read(select(deliveries).where(mine, wanted))).mappings().all()
    for row in rows:
        erased.in_flight += row["state"] == "leased"
        tx.deliveries.cancel(row["destination"], row["key"])
        if row["destination"] == SURVEY:
            payload = orjson.loads(row["payload"])
            solved_at = datetime.fromisoformat(payload["solved_at"])
            await repository.record_decision(tx, payload["ticket_id"], solved_at, CALLED_OFF)
    erased.removed["deliveries: called off"] = len(rows)
    keys = [ticket_id.encode() for ticket_id in erased.tickets]
    unpublished = delete(outbox).where(outbox.c.topic == FeedbackReceived.topic, outbox.c.key.in_(keys))
    erased.removed["outbox: feedback not published yet"] = (await tx.execute(unpublished)).rowcount


async def _surveys(tx: Transaction, erased: Erased) -> None:
    """Surveys lose their person and get a new id: the links that name the old one open nothing."""
    surveys, former, tickets = tables.surveys, tables.superseded_surveys, tables.tickets
    mine = select(surveys.c.ticket_id).where(surveys.c.ticket_id.in_(erased.tickets))
    found = (await tx.read(mine.where(surveys.c.requester_id.is_not(None)))).scalars().all()
    for ticket_id in found:
        nobody = {"survey_id": uuid7().hex, "requester_id": None}
        await tx.execute(update(surveys).where(surveys.c.ticket_id == ticket_id).values(**nobody))
    erased.removed["surveys: requester, links"] = len(found)
    gone = delete(former).where(former.c.ticket_id.in_(erased.tickets))
    erased.removed["superseded_surveys"] = (await tx.execute(gone)).rowcount
    unnamed = update(tickets).values(requester_id=None)
    erased.removed["tickets: requester"] = await _on(
        tx, unnamed, tickets, erased, tickets.c.requester_id.is_not(None)
    )


async def _person(tx: Transaction, erased: Erased) -> None:
    requesters = tables.requesters
    rows = await tx.load(requesters, erased.accounts)
    known = [row for account in erased.accounts if (row := rows.get(account)) is not None]
    erased.opted_out = any(row["opted_out_at"] is not None for row in known)
    theirs = requesters.c.requester_id.in_(erased.accounts)
    if not erased.opted_out:
        gone = delete(requesters).where(theirs)
        erased.removed["requesters"] = (await tx.execute(gone)).rowcount
        return
    mine = theirs & requesters.c.asked_at.is_not(None)
    bare = update(requesters).where(mine).values(asked_at=None, asked_ticket_id=None)
    erased.removed["requesters: asked when, for which ticket"] = (await tx.execute(bare)).rowcount


async def _on(
    tx: Transaction, change: Update, table: Table, erased: Erased, where: ColumnElement[bool]
) -> int:
    """Change the rows of the person's tickets; how many there were."""
    mine = change.where(table.c.ticket_id.in_(erased.tickets), where)
    return len((await tx.execute(mine.returning(table.c.ticket_id))).all())
