"""How long csat keeps what: rows by age, and the words of comments for a shorter time. Numbers stay right meanwhile.

Personal are only: the requester's Zendesk id (tickets, surveys, ratings, requesters) and the words of comments.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import Table, select, update

from csat import tables
from csat.policy.csat import CsatPolicy
from supportops.observability.metrics import Recorder
from supportops.store import Store, Transaction
from supportops.workers import Periodic, Retention

BITE = 1_000
"""Comments per transaction, so that nobody waits long for a lock."""

WEEK = timedelta(days=7)


def own_retention(policy: CsatPolicy) -> tuple[Retention, ...]:
    """What is known of a ticket goes when nothing happened to it for `keep_history`.

    Counted numbers go by the day that they belong to, in step with the tickets behind them. Who opted out is
    remembered until they opt in again, else they would be asked once more.
    """
    moments = (
        (tables.tickets, tables.tickets.c.changed_at),
        (tables.happenings, tables.happenings.c.seen_at),
        (tables.decisions, tables.decisions.c.decided_at),
        (tables.surveys, tables.surveys.c.asking_since),
        (tables.superseded_surveys, tables.superseded_surveys.c.superseded_at),
        (tables.ratings, tables.ratings.c.rated_at),
        (tables.answers, tables.answers.c.rated_at),
        (tables.issues, tables.issues.c.created_at),
        (tables.ticket_facts, tables.ticket_facts.c.solved_at),
        (tables.progress, tables.progress.c.updated_at),
        (tables.same_people, tables.same_people.c.merged_at),
    )
    requesters, facts = tables.requesters, tables.ticket_facts
    sums = (tables.counted, tables.tally, tables.cells)  # in this order, and after the facts (decision 71)
    keep = policy.keep_history
    return (
        *(Retention(table, moment, keep) for table, moment in moments),
        Retention(facts, facts.c.noted_at, keep, only=facts.c.solved_at.is_(None)),
        *(Retention(table, table.c.period, keep + WEEK) for table in sums),
        Retention(requesters, requesters.c.changed_at, keep, only=requesters.c.opted_out_at.is_(None)),
    )


def keep_comments(store: Store, policy: CsatPolicy, metrics: Recorder) -> Periodic:
    """The periodic job that removes the words of old comments."""

    async def clean() -> None:
        await forget_comments(store, policy.keep_comments, metrics)

    return Periodic("comments", store, clean, timedelta(minutes=10))


async def forget_comments(store: Store, keep: timedelta, metrics: Recorder) -> None:
    """Remove the words of comments that are older than `keep`; ratings, scores and reasons stay."""
    for table in (tables.ratings, tables.answers):
        while await _bite(store, table, keep, metrics) == BITE:
            pass


async def _bite(store: Store, table: Table, keep: timedelta, metrics: Recorder) -> int:
    key = next(iter(table.primary_key.columns))
    async with store.transaction() as tx:
        old = select(key, table.c.ticket_id).where(
            table.c.comment.is_not(None), table.c.rated_at < tx.now - keep
        )
        rows = (await tx.read(old.limit(BITE))).all()
        if rows:
            wordless = update(table).where(key.in_([row[0] for row in rows])).values(comment=None)
            await tx.execute(wordless)
        if table is tables.ratings:
            await without_comment(tx, [row.ticket_id for row in rows])
    metrics.count("rows_pruned", len(rows), table=f"{table.name}.comment")
    return len(rows)


async def without_comment(tx: Transaction, ticket_ids: Sequence[str]) -> None:
    """Have the numbers know that these tickets' ratings have no comment to show any more."""
    if not ticket_ids:
        return
    facts = tables.ticket_facts
    commented = facts.c.ticket_id.in_(ticket_ids) & facts.c.has_comment
    await tx.execute(update(facts).where(commented).values(has_comment=False, stale=True, noted_at=tx.now))
