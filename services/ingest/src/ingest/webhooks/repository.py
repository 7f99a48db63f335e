"""The raw log of webhooks: what is written when one comes, what people ask, and replay.

See docs/vendors/zendesk.md#delivery.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Select, bindparam, case, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from uuid_utils import uuid7

from ingest.tables import webhooks
from ingest.webhooks import fields, parse
from ingest.webhooks.parse import Account, Disposition, ParsedWebhook, Road
from supportops.contracts import Event
from supportops.store import Store, Transaction

PAGE = 200  # webhooks of one replay transaction
PATH: Final = ":path"  # among the headers, as HTTP/2 has it: which road the body came on
SIGNED_AT: Final = "x-zendesk-webhook-signature-timestamp"


class SignedRequest(msgspec.Struct, frozen=True):
    """A signed request as it came: `headers` are the few worth keeping and the path (PATH), `body` every byte."""

    received_at: datetime
    headers: dict[str, str]
    body: bytes


class Webhook(msgspec.Struct, frozen=True):
    """A request with what was read in it."""

    received: SignedRequest
    reading: ParsedWebhook
    key: str


@dataclass(frozen=True, slots=True)
class WebhookFilter:
    """Which webhooks a command is about; what is None does not narrow. `until` is exclusive."""

    since: datetime | None = None
    until: datetime | None = None
    ticket_id: str | None = None
    disposition: Disposition | None = None
    key: str | None = None


_ANEW = (
    update(webhooks)
    .where(webhooks.c.key == bindparam("b_key"))
    .values(
        disposition=bindparam("b_disposition"),
        kind=bindparam("b_kind"),
        reason=bindparam("b_reason"),
        ticket_id=bindparam("b_ticket_id"),
    )
)


def parse_request(received: SignedRequest, account: Account) -> Webhook:
    """Read a signed request.

    One that was signed before our log's memory begins is parked: were it a replay, no key would tell (decision 110).
    """
    road = parse.road_of(received.headers.get(PATH))
    reading = parse.read(received.body, road, account, received.received_at)
    signed_at = fields.as_moment(received.headers.get(SIGNED_AT))
    if signed_at is not None and received.received_at - signed_at > account.memory:
        reading = parse.parked(
            received.body, reading.kind, "signed before our log remembers", reading.ticket_id
        )
    return Webhook(received, reading, f"{account.id}:{reading.key}")


def unexamined(received: SignedRequest, account: Account, error: BaseException) -> Webhook:
    """A body that our reader failed on (a bug of ours), parked."""
    reading = parse.parked(received.body, "unknown", f"our reader failed: {type(error).__name__}")
    return Webhook(received, reading, f"{account.id}:{reading.key}")


async def add(tx: Transaction, batch: Sequence[Webhook]) -> set[str]:
    """Store webhooks and promise their events; returns the keys that were new.

    One that is there already (an earlier delivery of the same event, or twice in this batch) is only counted.
    """
    if not batch:
        await tx.execute(select(1))  # a question whether the database is there must reach it
        return set()
    first: dict[str, Webhook] = {}
    for webhook in batch:
        first.setdefault(webhook.key, webhook)
    times = Counter(webhook.key for webhook in batch)
    rows = {key: _row(webhook, times[key] - 1) for key, webhook in first.items()}
    events = {key: webhook.reading.events for key, webhook in first.items()}
    return await tx.keep(webhooks.c.duplicates, rows, events)


def unstorable(webhook: Webhook, error: BaseException) -> Webhook:
    """The same body, parked, for a webhook whose rows the database (or the codec) refuses."""
    reason = f"could not be stored: {type(error).__name__}"
    reading = ParsedWebhook("parked", webhook.reading.key, "unknown", reason)
    return Webhook(webhook.received, reading, webhook.key)


def _row(webhook: Webhook, duplicates: int) -> dict[str, Any]:
    received, reading = webhook.received, webhook.reading
    return {
        "key": webhook.key,
        "received_at": received.received_at,
        "headers": msgspec.json.encode(received.headers).decode(),
        "body": received.body,
        "disposition": reading.disposition,
        "kind": reading.kind,
        "reason": reading.reason,
        "ticket_id": reading.ticket_id,
        "duplicates": duplicates,
    }


async def counts(conn: AsyncConnection) -> list[dict[str, Any]]:
    """How many webhooks of each disposition and kind are in the log, duplicates aside."""
    order = case({"parked": 0, "published": 1}, value=webhooks.c.disposition, else_=2)
    query = (
        select(webhooks.c.disposition, webhooks.c.kind, func.count().label("webhooks"))
        .group_by(webhooks.c.disposition, webhooks.c.kind)
        .order_by(order, webhooks.c.kind)
    )
    return [_named(row) for row in (await conn.execute(query)).mappings()]


async def listed(conn: AsyncConnection, wanted: WebhookFilter, limit: int) -> list[dict[str, Any]]:
    """Webhooks without their bodies, oldest first."""
    columns = [c for c in webhooks.c if c.name not in ("body", "headers")]
    query = _narrowed(select(*columns, func.length(webhooks.c.body).label("bytes")), wanted)
    query = query.order_by(webhooks.c.received_at, webhooks.c.key).limit(limit)
    return [_named(row) for row in (await conn.execute(query)).mappings()]


async def one(conn: AsyncConnection, key: str) -> dict[str, Any] | None:
    """One webhook with headers and body."""
    row = (await conn.execute(select(webhooks).where(webhooks.c.key == key))).mappings().first()
    return _named(row) if row else None


def _named(row: Mapping[Any, Any]) -> dict[str, Any]:
    """With plain text as names: SQLAlchemy's own kind of text is refused by JSON writers."""
    return {str(name): value for name, value in row.items()}


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did: webhooks looked at, events published, webhooks still ignored or parked."""

    webhooks: int = 0
    events: int = 0
    still_ignored: int = 0
    still_parked: int = 0


@dataclass(frozen=True, slots=True)
class Replay:
    """How stored bodies are read again: for one consumer group alone, on another road than they came, or only to say
    what would become of them.
    """

    group: str | None = None
    road: Road | None = None
    dry_run: bool = False


EVERYBODY: Final = Replay()


@dataclass(frozen=True, slots=True)
class _Target:
    """Whom a replay is for: one consumer group, by one run of the command."""

    group: str
    run: str


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads stored bodies by today's rules."""

    account: Account
    road: Road | None
    now: datetime

    def read(self, row: Mapping[str, Any]) -> ParsedWebhook:
        came = parse.road_of(msgspec.json.decode(row["headers"], type=dict[str, str]).get(PATH), row["kind"])
        return parse.read(row["body"], self.road or came, self.account, row["received_at"], self.now)


async def replay(store: Store, account: Account, wanted: WebhookFilter, how: Replay = EVERYBODY) -> Replayed:
    """Read stored bodies again, on the road they came or, when an operator vouches for it, on another.

    Without `group` the bodies that were ignored or parked are read by today's rules; what can be read now is
    published under its own event id, the rest stays. With `group` every body that can be read is published
    once more, also those that were, under a new id and addressed to that consumer group alone
    (`ce_reprocess`). The log stays as it is then: what was parked is still to come for all other groups.
    """
    target = None if how.group is None else _Target(how.group, str(uuid7()))
    reader = _Reader(account, how.road, store.clock.now())
    total = Replayed()
    last: Mapping[str, Any] | None = None
    while True:
        async with store.rehearsal() if how.dry_run else store.transaction() as tx:
            page = await _page(tx, wanted, last, how.group)
            total = _sum(total, await _replay_page(tx, page, reader, target))
        if len(page) < PAGE:
            return total
        last = page[-1]


async def _page(
    tx: Transaction, wanted: WebhookFilter, last: Mapping[str, Any] | None, group: str | None
) -> list[Mapping[str, Any]]:
    query = _narrowed(select(webhooks), wanted).order_by(webhooks.c.received_at, webhooks.c.key).limit(PAGE)
    if group is None:
        query = query.where(webhooks.c.disposition != "published")
    if last is not None:
        later = webhooks.c.received_at > last["received_at"]
        same = (webhooks.c.received_at == last["received_at"]) & (webhooks.c.key > last["key"])
        query = query.where(later | same)
    return [dict(row) for row in (await tx.read(query)).mappings()]


async def _replay_page(
    tx: Transaction, page: Sequence[Mapping[str, Any]], reader: _Reader, target: _Target | None
) -> Replayed:
    events = 0
    left = {"ignored": 0, "parked": 0, "published": 0}
    for row in page:
        reading = reader.read(row)
        left[reading.disposition] += 1
        for event in reading.events:
            tx.publish(event if target is None else _readdressed(event, target))
            events += 1
        if target is None:
            _note(tx, row["key"], reading)
    return Replayed(len(page), events, left["ignored"], left["parked"])


def _note(tx: Transaction, key: str, reading: ParsedWebhook) -> None:
    tx.write(
        _ANEW,
        b_key=key,
        b_disposition=reading.disposition,
        b_kind=reading.kind,
        b_reason=reading.reason,
        b_ticket_id=reading.ticket_id,
    )


def _readdressed(event: Event, target: _Target) -> Event:
    """The event for one group, under an id that its inbox has not seen; the same within one run of the command."""
    new_id = f"{event.id}/reprocess/{target.run[-12:]}"
    return event.model_copy(update={"id": new_id, "reprocess": target.group, "correlation_id": event.id})


def _narrowed[S: Select[Any]](query: S, wanted: WebhookFilter) -> S:
    for column, value in (
        (webhooks.c.ticket_id, wanted.ticket_id),
        (webhooks.c.disposition, wanted.disposition),
        (webhooks.c.key, wanted.key),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(webhooks.c.received_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(webhooks.c.received_at < wanted.until)
    return query


def _sum(a: Replayed, b: Replayed) -> Replayed:
    return Replayed(
        a.webhooks + b.webhooks,
        a.events + b.events,
        a.still_ignored + b.still_ignored,
        a.still_parked + b.still_parked,
    )
