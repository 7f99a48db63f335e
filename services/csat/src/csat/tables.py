"""csat's own tables, beside the engine's. Ids of Zendesk are strings of digits, moments aware UTC."""

from sqlalchemy import Boolean, Column, Date, Index, Integer, MetaData, Table, Text, text

from supportops.store import UtcDateTime, engine_tables

metadata = MetaData()
engine = engine_tables(metadata)

tickets = Table(
    "tickets",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("solved_at", UtcDateTime),
    Column("merged_at", UtcDateTime),
    Column("requester_id", Text, index=True),
    Column("changed_at", UtcDateTime, nullable=False, index=True),
)
"""What csat tracks of a ticket: see `csat.surveys.survey_clock.TicketState`.

`merged_at`: its own merge, as an event told.

`requester_id`: whose ticket it is, so that what is not asked yet is found when a person is to be forgotten.
"""

happenings = Table(
    "happenings",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("ticket_id", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("road", Text, nullable=False),
    Column("news", Boolean, nullable=False),
    Column("happened_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False, index=True),
)
"""Which events of a ticket were taken, for its story. `news`: False when something newer was known already."""

decisions = Table(
    "decisions",
    metadata,
    Column("solve", Text, primary_key=True),
    Column("ticket_id", Text, nullable=False, index=True),
    Column("solved_at", UtcDateTime, nullable=False),
    Column("send", Boolean, nullable=False),
    Column("rule", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("decided_at", UtcDateTime, nullable=False, index=True),
)
"""Why the requester of a solved ticket was asked, or was not.

One row per solve (`csat.surveys.repository.solve_key`).
"""

surveys = Table(
    "surveys",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("survey_id", Text, nullable=False, unique=True),
    Column("solved_at", UtcDateTime, nullable=False),
    Column("requester_id", Text, index=True),
    Column("mode", Text, nullable=False, server_default="hosted"),
    Column("locale", Text),
    Column("asking_since", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("tagged_at", UtcDateTime),
)
"""One survey per ticket, ever. A row exists from just before the call; `sent_at` says that it was made.

`mode`: hosted (a comment with our links) or native (the tag that makes Zendesk ask).
"""

superseded_surveys = Table(
    "superseded_surveys",
    metadata,
    Column("survey_id", Text, primary_key=True),
    Column("ticket_id", Text, nullable=False, index=True),
    Column("solved_at", UtcDateTime),
    Column("superseded_at", UtcDateTime, nullable=False, index=True),
)
"""Ids that a ticket's survey had before: for an earlier solve (`solved_at`), and nobody saw the comment arrive."""

requesters = Table(
    "requesters",
    metadata,
    Column("requester_id", Text, primary_key=True),
    Column("asked_at", UtcDateTime),
    Column("asked_ticket_id", Text),
    Column("opted_out_at", UtcDateTime),
    Column("changed_at", UtcDateTime, nullable=False, index=True),
)
"""When a requester was asked last, for which ticket, and since when they do not want to be asked any more."""

same_people = Table(
    "same_people",
    metadata,
    Column("requester_id", Text, primary_key=True),
    Column("other_id", Text, primary_key=True),
    Column("merged_at", UtcDateTime, nullable=False),
)
"""Accounts in Zendesk that were merged: one person. Each pair stands in both directions."""

ratings = Table(
    "ratings",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("rating_id", Text, nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("score", Text, nullable=False),
    Column("comment", Text),
    Column("reason", Text),
    Column("requester_id", Text, index=True),
    Column("revision", Integer, nullable=False),
    Column("rated_at", UtcDateTime, nullable=False),
    Column("from_agents", Boolean, nullable=False, default=False, server_default=text("false")),
)
"""The answer that counts: the latest one of each ticket. `revision` counts changes of mind, from 1.

`rating_id` is ours and stays with the ticket, whoever brought the answer (`source`: hosted or native).
`from_agents`: it was given from a network of the organization's agents.
"""

answers = Table(
    "answers",
    metadata,
    Column("answer_id", Text, primary_key=True),
    Column("ticket_id", Text, nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("score", Text, nullable=False),
    Column("comment", Text),
    Column("reason", Text),
    Column("rated_at", UtcDateTime, nullable=False, index=True),
    Column("from_agents", Boolean, nullable=False, default=False, server_default=text("false")),
)
"""Every answer that a ticket ever had (`answer_id`: rating id and revision), for its story.

The numbers look at `ratings` alone.
"""

issues = Table(
    "issues",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("project_id", Text),
    Column("iid", Text),
    Column("web_url", Text),
    Column("marker", Text),
    Column("revision", Integer, nullable=False),
    Column("noted_comment", Text),
    Column("skipped", Text),
    Column("created_at", UtcDateTime, nullable=False, index=True),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("tagged_at", UtcDateTime),
)
"""The GitLab issue of a ticket's feedback. `revision` of the answer that it shows; `noted_comment`: a hash of the
comment that it shows last; `skipped`: why there is none (somebody else had exported the ticket)."""

ticket_facts = Table(
    "facts",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("solved_at", UtcDateTime),
    Column("form", Text, nullable=False, default="", server_default=""),
    Column("plan", Text, nullable=False, default="", server_default=""),
    Column("region", Text, nullable=False, default="", server_default=""),
    Column("group_name", Text, nullable=False, default="", server_default=""),
    Column("assignee", Text, nullable=False, default="", server_default=""),
    Column("decided", Boolean, nullable=False, default=False, server_default=text("false")),
    Column("asked_at", UtcDateTime),
    Column("score", Text),
    Column("reason", Text, nullable=False, default="", server_default=""),
    Column("has_comment", Boolean, nullable=False, default=False, server_default=text("false")),
    Column("rated_at", UtcDateTime),
    Column("described_at", UtcDateTime),
    Column("noted_at", UtcDateTime, nullable=False),
    Column("stale", Boolean, nullable=False, default=True, server_default=text("true")),
)
"""What the numbers know of a ticket: one row each, written through `csat.kpi.ticket_facts.note`.

`solved_at`: the solve that counts; None: it does not count now (reopened before it was asked). Names are what they
were at that solve, "" where there is none; `described_at`: when they were read. `noted_at`: when something was last
noted; `stale`: `counted` does not know of it yet.
"""


def _counters() -> tuple[Column[int], ...]:
    """What is counted: see `csat.kpi.measures.Counts`."""
    return tuple(
        Column(name, Integer, nullable=False) for name in ("solved", "decided", "asked", "good", "bad")
    )


counted = Table(
    "counted",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("day", Date, nullable=False),
    Column("period", Date, nullable=False, index=True),
    Column("form", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("group_name", Text, nullable=False),
    Column("assignee", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("rated_at", UtcDateTime),
    Column("has_comment", Boolean, nullable=False),
    *_counters(),
)
"""As what a ticket is counted in `tally` and `cells`; all three change together (`csat.kpi.aggregation`).

`day`: of the solve, in the report's time zone; `period`: the one it lies in, a week, cut where a month begins (under
its first day). The counters are 0 or 1.
"""

tally = Table(
    "tally",
    metadata,
    Column("dimension_a", Text, primary_key=True),
    Column("value_a", Text, primary_key=True),
    Column("dimension_b", Text, primary_key=True),
    Column("period", Date, primary_key=True),
    Column("value_b", Text, primary_key=True),
    *_counters(),
)
"""Tickets by period: in all (the rest is ""), by each dimension (b; a is ""), and by each with each."""

cells = Table(
    "cells",
    metadata,
    Column("period", Date, primary_key=True),
    Column("form", Text, primary_key=True),
    Column("plan", Text, primary_key=True),
    Column("region", Text, primary_key=True),
    Column("group_name", Text, primary_key=True),
    Column("assignee", Text, primary_key=True),
    Column("reason", Text, primary_key=True),
    *_counters(),
)
"""Tickets by period and by all dimensions at once."""

progress = Table(
    "progress",
    metadata,
    Column("name", Text, primary_key=True),
    Column("cursor", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)
"""How far a long work has come (`csat backfill`), so that it goes on where it was stopped."""

Index("ratings_score", ratings.c.score)
Index("ratings_rated", ratings.c.rated_at)
Index("surveys_sent", surveys.c.sent_at)
Index(
    "facts_stale",
    ticket_facts.c.ticket_id,
    postgresql_where=ticket_facts.c.stale,
    sqlite_where=ticket_facts.c.stale,
)
Index("facts_solved", ticket_facts.c.solved_at)
rated = counted.c.rated_at.is_not(None)
Index(
    "counted_rated",
    *(counted.c[name] for name in ("rated_at", "ticket_id", "has_comment", "day")),
    *(counted.c[name] for name in ("form", "plan", "region", "group_name", "assignee", "reason")),
    postgresql_where=rated,
    sqlite_where=rated,
)
Index("decisions_solved", decisions.c.solved_at, decisions.c.solve)
Index("decisions_rule", decisions.c.rule, decisions.c.solved_at, decisions.c.solve)
ended = engine.deliveries.c.finished_at.is_not(None)
Index("deliveries_story", engine.deliveries.c.lane, postgresql_where=ended, sqlite_where=ended)
