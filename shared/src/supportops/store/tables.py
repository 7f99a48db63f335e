"""The engine's tables, added to each service's metadata: inbox, offsets, outbox, deliveries, lanes, rates, leases.

Rows are described once here; `revisions.py` creates them in a migration.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Dialect,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    and_,
    literal_column,
)
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC moment: `timestamptz` in PostgreSQL, sortable text in SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored: pass an aware one")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


THROTTLES = "throttle:"
"""How the names of rates begin that belong to somebody outside (an address, a link): they go when they are free."""


@dataclass(frozen=True)
class EngineTables:
    """The tables that the engine keeps in a service's database."""

    inbox: Table
    outbox: Table
    deliveries: Table
    lanes: Table
    breakers: Table
    rates: Table
    leases: Table
    ended_sessions: Table
    consumer_offsets: Table
    dead_letter_marks: Table


def engine_tables(metadata: MetaData) -> EngineTables:
    """Add the engine's tables to `metadata` (once) and return them."""
    if "inbox" in metadata.tables:
        return EngineTables(**{name: metadata.tables[name] for name in EngineTables.__annotations__})
    return EngineTables(
        inbox=_inbox(metadata),
        outbox=_outbox(metadata),
        deliveries=_deliveries(metadata),
        lanes=_lanes(metadata),
        breakers=_breakers(metadata),
        rates=_rates(metadata),
        leases=_leases(metadata),
        ended_sessions=_ended_sessions(metadata),
        consumer_offsets=_consumer_offsets(metadata),
        dead_letter_marks=_dead_letter_marks(metadata),
    )


def _inbox(metadata: MetaData) -> Table:
    """Which events a consumer group has taken: the guard against handling one twice."""
    return Table(
        "inbox",
        metadata,
        Column("consumer_group", Text, primary_key=True),
        Column("event_id", Text, primary_key=True),
        Column("seen_at", UtcDateTime, nullable=False, index=True),
    )


def _outbox(metadata: MetaData) -> Table:
    """Events that are promised but perhaps not yet published; a published row is deleted."""
    return Table(
        "outbox",
        metadata,
        Column("id", Text, primary_key=True),
        Column("topic", Text, nullable=False),
        Column("key", LargeBinary, nullable=False),
        Column("value", LargeBinary, nullable=False),
        Column("headers", LargeBinary, nullable=False),
        Column("created_at", UtcDateTime, nullable=False),
        Column("sweep_after", UtcDateTime, nullable=False, index=True),
        Column("refused", Text),  # why the broker will never take it; null while it is on its way
    )


def active(deliveries: FromClause) -> ColumnElement[bool]:
    """The delivery is unfinished; in the very words of the partial indexes, so that planners use them."""
    return deliveries.c.state.in_([literal_column("'waiting'"), literal_column("'leased'")])


def waiting(deliveries: FromClause) -> ColumnElement[bool]:
    """The delivery is unfinished, and what is asked about is when: the index by moment, and no other, is meant.

    The second condition is always true. It keeps planners from taking that index for questions about lanes: of a queue
    that was empty a moment ago all indexes look equally good, and this one then reads every waiting row per lane.
    """
    return and_(active(deliveries), deliveries.c.attempts >= literal_column("0"))


def _deliveries(metadata: MetaData) -> Table:
    """Every call to someone else's server, and every durable timer."""
    table = Table(
        "deliveries",
        metadata,
        Column("id", Text, primary_key=True),
        Column("destination", Text, nullable=False),
        Column("lane", Text, nullable=False),
        Column("position", BigInteger, nullable=False),
        Column("key", Text, nullable=False),
        Column("generation", Integer, nullable=False),
        Column("state", Text, nullable=False),
        Column("due_at", UtcDateTime, nullable=False),
        Column("next_attempt_at", UtcDateTime, nullable=False),
        Column("payload", Text, nullable=False),
        Column("attempts", Integer, nullable=False),
        Column("uncertain", Boolean, nullable=False),
        Column("lease_until", UtcDateTime),
        Column("token", Text),
        Column("outcome", Text),
        Column("history", Text),
        Column("created_at", UtcDateTime, nullable=False),
        Column("finished_at", UtcDateTime),
    )
    Index("deliveries_key", table.c.destination, table.c.key, unique=True)
    for name, columns, rows in (
        ("deliveries_claimable", (table.c.destination, table.c.next_attempt_at), waiting(table)),
        ("deliveries_lane", (table.c.destination, table.c.lane, table.c.position, table.c.id), active(table)),
    ):
        Index(name, *columns, postgresql_where=rows, sqlite_where=rows)
    flying = table.c.lease_until.is_not(None)
    Index(
        "deliveries_in_flight",
        table.c.destination,
        table.c.lane,
        postgresql_where=flying,
        sqlite_where=flying,
    )
    Index("deliveries_finished", table.c.finished_at)
    return table


def _lanes(metadata: MetaData) -> Table:
    """What a claim looks at instead of the deliveries: one row per lane, found by the moment when it is worth a look.

    `claimable_at`: nothing of the lane can be claimed before; null: nothing waits. It may be too early (a cancel does
    not care), never too late. `free_at`: while a call of the lane is in flight the end of its lease, after it the
    moment that the lane's pace allows. `version` grows with every change: who computed from an older state knows.
    """
    table = Table(
        "lanes",
        metadata,
        Column("destination", Text, primary_key=True),
        Column("lane", Text, primary_key=True),
        Column("claimable_at", UtcDateTime),
        Column("free_at", UtcDateTime),
        Column("version", BigInteger, nullable=False),
    )
    waiting = table.c.claimable_at.is_not(None)
    Index(
        "lanes_claimable",
        table.c.destination,
        table.c.claimable_at,
        postgresql_where=waiting,
        sqlite_where=waiting,
    )
    return table


def _breakers(metadata: MetaData) -> Table:
    """Destinations that something is wrong with; no row: nothing ever was. Shared by all replicas.

    `state`: closed, open or half_open (one row is out to see). `run` counts failures of one cause since the last
    success, `failing` (JSON) are the keys of the rows that had them; `probe_at` is when the next row may be sent out,
    `probes` counts those that failed. `refusals` counts different rows given up one after the other for one `refusal`.
    """
    return Table(
        "breakers",
        metadata,
        Column("destination", Text, primary_key=True),
        Column("state", Text, nullable=False),
        Column("cause", Text),
        Column("since", UtcDateTime),
        Column("reason", Text),
        Column("probe_at", UtcDateTime),
        Column("probes", Integer, nullable=False),
        Column("run", Integer, nullable=False),
        Column("failing", Text, nullable=False),
        Column("refusals", Integer, nullable=False),
        Column("refusal", Text),
        Column("refused_since", UtcDateTime),
        Column("changed_at", UtcDateTime, nullable=False),
    )


def _rates(metadata: MetaData) -> Table:
    """Shared budgets and throttles: when one is free again (the same for all replicas)."""
    return Table(
        "rates",
        metadata,
        Column("name", Text, primary_key=True),
        Column("free_at", UtcDateTime, nullable=False),
    )


def _leases(metadata: MetaData) -> Table:
    """Who runs a periodic job now, so that any number of replicas run it once."""
    return Table(
        "leases",
        metadata,
        Column("name", Text, primary_key=True),
        Column("holder", Text, nullable=False),
        Column("until", UtcDateTime, nullable=False),
        Column("last_run_at", UtcDateTime),
    )


def _ended_sessions(metadata: MetaData) -> Table:
    """Operators' sessions that ended by a log-out, until their cookies would be too old anyway."""
    return Table(
        "ended_sessions",
        metadata,
        Column("holder", Text, primary_key=True),
        Column("ended_at", UtcDateTime, nullable=False),
        Column("forget_at", UtcDateTime, nullable=False, index=True),
    )


def _consumer_offsets(metadata: MetaData) -> Table:
    """Where each partition goes on: written in the transaction of the batch, so that state and position never part.

    `dead_in_a_row`: dead letters since the last handled event. `reread_until`: records before this offset may have been
    handled by a life that the database has forgotten (it was restored). `accounted_for`: the offset that Kafka named
    when it and we last disagreed: one disagreement is not noticed twice. `topic_id`: which topic the offset is of,
    where the broker tells it; one that is made anew has another. `reset_*`: the last time that the position was not the
    one we had left: what happened, when, and from where.
    """
    return Table(
        "consumer_offsets",
        metadata,
        Column("consumer_group", Text, primary_key=True),
        Column("topic", Text, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("next_offset", BigInteger, nullable=False),
        Column("dead_in_a_row", Integer, nullable=False),
        Column("updated_at", UtcDateTime, nullable=False),
        Column("reread_until", BigInteger),
        Column("accounted_for", BigInteger),
        Column("reset_kind", Text),
        Column("reset_at", UtcDateTime),
        Column("reset_from", BigInteger),
        Column("topic_id", Text),
    )


def _dead_letter_marks(metadata: MetaData) -> Table:
    """Dead letters that an operator replayed or dropped; `digest`: of the record, since a topic may be made anew."""
    return Table(
        "dead_letter_marks",
        metadata,
        Column("topic", Text, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("record_offset", BigInteger, primary_key=True, autoincrement=False),
        Column("digest", Text, nullable=False),
        Column("action", Text, nullable=False),
        Column("marked_at", UtcDateTime, nullable=False, index=True),
    )


ENGINE = engine_tables(MetaData())
"""The engine's tables as the engine's own queries name them."""
