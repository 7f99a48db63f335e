"""The doctor's checks of what every service stands on: its database and the broker."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from supportops.clock import SystemClock
from supportops.config import DatabaseSettings, KafkaSettings
from supportops.contracts import Topic, all_topics
from supportops.messaging import Broker, open_broker
from supportops.messaging.topics import too_tight
from supportops.operations.checks import Check, Finding, skew
from supportops.store import Store, open_store
from supportops.store.migrate import current_head
from supportops.store.outbox import list_refused
from supportops.store.tables import ENGINE

RESETS_SHOWN = timedelta(days=7)


def database_check(settings: DatabaseSettings, package: str) -> Check:
    """The database answers, is migrated, and its clock is ours."""

    async def look() -> Iterable[Finding]:
        async with open_store(settings, clock=SystemClock()) as store:
            try:
                return [
                    Finding("database", "ok", store.dialect),
                    await _migrated(store, package),
                    *await _events(store),
                    *await _clock(store),
                ]
            except (SQLAlchemyError, OSError) as error:
                # No text of the error: it may quote the address, which holds the password.
                reason = type(getattr(error, "orig", None) or error).__name__
                return [Finding("database", "failed", f"does not answer: {reason}", _DATABASE)]

    return Check("database", look, _DATABASE)


_DATABASE = "Check DATABASE_URL, and that the server runs and takes this role's password."


async def _migrated(store: Store, package: str) -> Finding:
    head = current_head(package)
    try:
        async with store.reading() as conn:
            revision = (await conn.execute(text("SELECT version_num FROM alembic_version"))).scalar()
    except SQLAlchemyError:
        revision = None
    if revision == head:
        return Finding("migrations", "ok", f"revision {head}")
    remedy = "Run `migrate` of this version; a newer revision belongs to a newer version of the service."
    return Finding(
        "migrations", "failed", f"at revision {revision or 'none'}, this version wants {head}", remedy
    )


async def _events(store: Store) -> Sequence[Finding]:
    """What is set aside in the outbox, and partitions that went on elsewhere than where they had stopped."""
    o = ENGINE.consumer_offsets
    lately = o.c.reset_at > store.clock.now() - RESETS_SHOWN
    try:
        async with store.reading() as conn:
            aside = await list_refused(conn, ENGINE.outbox)
            reset = (await conn.execute(select(o.c.topic, o.c.partition, o.c.reset_kind).where(lately))).all()
    except SQLAlchemyError:
        return []  # not migrated: the finding before says so
    found = []
    if aside:
        words = f"{len(aside)} events are set aside, the oldest: {aside[0].refused}"
        found.append(Finding("outbox", "warning", words, "Mend the topic, then run publish-again."))
    if reset:
        words = ", ".join(f"{topic}[{partition}] {kind}" for topic, partition, kind in reset[:12])
        found.append(
            Finding("positions", "warning", words, "See docs/operations.md, consumer.position_reset.")
        )
    return found


async def _clock(store: Store) -> Sequence[Finding]:
    if store.dialect == "sqlite":
        return []  # its clock is this machine's
    began = store.clock.now()
    async with store.reading() as conn:
        theirs: datetime = (await conn.execute(text("SELECT clock_timestamp()"))).scalar_one()
    took = store.clock.now() - began
    return [skew("clock: database", began + took / 2, theirs, took / 2)]


def broker_check(settings: KafkaSettings, topics: Sequence[Topic] | None = None) -> Check:
    """The broker answers and has the topics, with enough partitions; nothing is created."""

    async def look() -> Iterable[Finding]:
        async with open_broker(settings) as broker:
            have = await broker.partitions()
            limits = await _limits(broker, topics)
        wanted = topics if topics is not None else all_topics()
        missing = sorted(topic.name for topic in wanted if topic.name not in have)
        few = sorted(
            topic.name for topic in wanted if have.get(topic.name, topic.partitions) < topic.partitions
        )
        return [Finding("broker", "ok", f"{len(have)} topics"), _topics(missing, few), *limits]

    return Check("broker", look, "Check KAFKA_BOOTSTRAP_SERVERS and how the connection is protected.")


async def _limits(broker: Broker, topics: Sequence[Topic] | None) -> Sequence[Finding]:
    """Topics that hold less than we may write; the embedded broker does not tell."""
    if broker.embedded:
        return []
    wanted = topics if topics is not None else all_topics()
    words = too_tight(wanted, await broker.limits([topic.name for topic in wanted]))
    remedy = "Raise max.message.bytes and retention.ms; docs/events.md has the topic table."
    return [Finding("topic limits", "warning", "; ".join(words), remedy)] if words else []


def _topics(missing: Sequence[str], few: Sequence[str]) -> Finding:
    if few:
        remedy = "Add partitions; the topic table in docs/events.md says how many."
        return Finding("topics", "failed", f"too few partitions: {', '.join(few)}", remedy)
    if missing:
        remedy = "The first process that publishes makes them, where it may; else make them by hand."
        return Finding("topics", "warning", f"not there yet: {', '.join(missing)}", remedy)
    return Finding("topics", "ok")
