"""Who was asked how, every answer, issues of feedback, and what the numbers count."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

MOMENT = sa.DateTime(timezone=True)
DIMENSIONS = ("form", "plan", "region", "group_name", "assignee", "reason")
NEW = (
    "happenings",
    "progress",
    "cells",
    "tally",
    "counted",
    "facts",
    "issues",
    "answers",
    "requesters",
    "superseded_surveys",
)


def upgrade() -> None:
    _asking()
    _answers_and_issues()
    _facts()
    _numbers()
    _progress()
    _happenings()


def _asking() -> None:
    op.add_column("tickets", sa.Column("merged_at", MOMENT))
    op.add_column("tickets", sa.Column("requester_id", sa.Text))
    op.create_index("ix_tickets_requester_id", "tickets", ["requester_id"])
    op.add_column("surveys", sa.Column("mode", sa.Text, nullable=False, server_default="hosted"))
    op.add_column("surveys", sa.Column("locale", sa.Text))
    op.create_index("ix_surveys_requester_id", "surveys", ["requester_id"])
    op.create_table(
        "superseded_surveys",
        sa.Column("survey_id", sa.Text, primary_key=True),
        sa.Column("ticket_id", sa.Text, nullable=False),
        sa.Column("solved_at", MOMENT),
        sa.Column("superseded_at", MOMENT, nullable=False),
    )
    op.create_index("ix_superseded_surveys_ticket_id", "superseded_surveys", ["ticket_id"])
    op.create_index("ix_superseded_surveys_superseded_at", "superseded_surveys", ["superseded_at"])
    op.create_table(
        "requesters",
        sa.Column("requester_id", sa.Text, primary_key=True),
        sa.Column("asked_at", MOMENT),
        sa.Column("asked_ticket_id", sa.Text),
        sa.Column("opted_out_at", MOMENT),
        sa.Column("changed_at", MOMENT, nullable=False),
    )
    op.create_index("ix_requesters_changed_at", "requesters", ["changed_at"])


def _answers_and_issues() -> None:
    op.create_index("ix_ratings_requester_id", "ratings", ["requester_id"])
    op.create_index("ratings_rated", "ratings", ["rated_at"])
    op.create_table(
        "answers",
        sa.Column("answer_id", sa.Text, primary_key=True),
        sa.Column("ticket_id", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("score", sa.Text, nullable=False),
        sa.Column("comment", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("rated_at", MOMENT, nullable=False),
    )
    op.create_index("ix_answers_rated_at", "answers", ["rated_at"])
    op.create_index("ix_answers_ticket_id", "answers", ["ticket_id"])
    op.execute(
        "INSERT INTO answers (answer_id, ticket_id, revision, source, score, comment, reason, rated_at) "
        "SELECT rating_id || ':' || revision, ticket_id, revision, source, score, comment, "
        "reason, rated_at FROM ratings"
    )
    op.create_table(
        "issues",
        sa.Column("ticket_id", sa.Text, primary_key=True),
        sa.Column("project_id", sa.Text),
        sa.Column("iid", sa.Text),
        sa.Column("web_url", sa.Text),
        sa.Column("marker", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("noted_comment", sa.Text),
        sa.Column("skipped", sa.Text),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("tagged_at", MOMENT),
    )
    op.create_index("ix_issues_created_at", "issues", ["created_at"])


def _facts() -> None:
    names = [
        sa.Column(name, sa.Text, nullable=False, server_default="")
        for name in ("form", "plan", "region", "group_name", "assignee")
    ]
    op.create_table(
        "facts",
        sa.Column("ticket_id", sa.Text, primary_key=True),
        sa.Column("solved_at", MOMENT),
        *names,
        sa.Column("decided", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("asked_at", MOMENT),
        sa.Column("score", sa.Text),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("has_comment", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("rated_at", MOMENT),
        sa.Column("described_at", MOMENT),
        sa.Column("noted_at", MOMENT, nullable=False),
        sa.Column("stale", sa.Boolean, nullable=False, server_default=sa.text("true")),
    )
    _index_where("facts_stale", "ticket_id", "stale")
    op.create_index("facts_solved", "facts", ["solved_at"])
    op.execute(FACTS_OF_TODAY)


def _index_where(name: str, column: str, condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "facts", [column], postgresql_where=where, sqlite_where=where)


def _numbers() -> None:
    op.create_table(
        "counted",
        sa.Column("ticket_id", sa.Text, primary_key=True),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("period", sa.Date, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in DIMENSIONS),
        sa.Column("rated_at", MOMENT),
        sa.Column("has_comment", sa.Boolean, nullable=False),
        *_counters(),
    )
    op.create_index("ix_counted_period", "counted", ["period"])
    is_rated = sa.text("rated_at IS NOT NULL")
    columns = ["rated_at", "ticket_id", "has_comment", "day", *DIMENSIONS]
    op.create_index("counted_rated", "counted", columns, postgresql_where=is_rated, sqlite_where=is_rated)
    op.create_table(
        "tally",
        *(sa.Column(name, sa.Text, primary_key=True) for name in ("dimension_a", "value_a", "dimension_b")),
        sa.Column("period", sa.Date, primary_key=True),
        sa.Column("value_b", sa.Text, primary_key=True),
        *_counters(),
    )
    op.create_table(
        "cells",
        sa.Column("period", sa.Date, primary_key=True),
        *(sa.Column(name, sa.Text, primary_key=True) for name in DIMENSIONS),
        *_counters(),
    )
    op.create_index("decisions_solved", "decisions", ["solved_at", "solve"])
    op.create_index("decisions_rule", "decisions", ["rule", "solved_at", "solve"])


def _counters() -> list[sa.Column[int]]:
    names = ("solved", "decided", "asked", "good", "bad")
    return [sa.Column(name, sa.Integer, nullable=False) for name in names]


def _progress() -> None:
    op.create_table(
        "progress",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("cursor", sa.Text, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
    )


FACTS_OF_TODAY = """
INSERT INTO facts (ticket_id, solved_at, decided, asked_at, score, reason, has_comment, rated_at, noted_at)
SELECT t.ticket_id,
       CASE WHEN s.sent_at IS NOT NULL THEN s.solved_at WHEN t.status = 'solved' THEN t.solved_at END,
       s.sent_at IS NOT NULL OR EXISTS (
           SELECT 1 FROM decisions d WHERE d.ticket_id = t.ticket_id AND d.solved_at = t.solved_at
       ),
       s.sent_at, r.score, COALESCE(r.reason, ''), r.comment IS NOT NULL, r.rated_at, t.changed_at
FROM tickets t
LEFT JOIN surveys s ON s.ticket_id = t.ticket_id
LEFT JOIN ratings r ON r.ticket_id = t.ticket_id
"""
"""Tickets that were tracked before count too; names of forms, plans and people they have none."""


def _happenings() -> None:
    op.create_table(
        "happenings",
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("ticket_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("road", sa.Text, nullable=False),
        sa.Column("news", sa.Boolean, nullable=False),
        sa.Column("happened_at", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
    )
    op.create_index("ix_happenings_ticket_id", "happenings", ["ticket_id"])
    op.create_index("ix_happenings_seen_at", "happenings", ["seen_at"])
    ended = sa.text("finished_at IS NOT NULL")
    op.create_index("deliveries_story", "deliveries", ["lane"], postgresql_where=ended, sqlite_where=ended)


def downgrade() -> None:
    for table in NEW:
        op.drop_table(table)
    op.drop_index("deliveries_story", "deliveries")
    op.drop_index("decisions_rule", "decisions")
    op.drop_index("decisions_solved", "decisions")
    op.drop_index("ratings_rated", "ratings")
    op.drop_index("ix_ratings_requester_id", "ratings")
    op.drop_index("ix_surveys_requester_id", "surveys")
    with op.batch_alter_table("surveys") as surveys:
        surveys.drop_column("locale")
        surveys.drop_column("mode")
    op.drop_index("ix_tickets_requester_id", "tickets")
    with op.batch_alter_table("tickets") as tickets:
        tickets.drop_column("requester_id")
        tickets.drop_column("merged_at")
