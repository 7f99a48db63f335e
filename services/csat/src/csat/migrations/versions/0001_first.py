"""The engine's tables, tracked tickets, decisions, surveys and ratings."""

import sqlalchemy as sa
from alembic import op

from supportops.store.revisions import drop_engine_0001, engine_0001

revision = "0001"
down_revision = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    engine_0001(op)
    _tickets_and_decisions()
    _surveys_and_ratings()


def _tickets_and_decisions() -> None:
    op.create_table(
        "tickets",
        sa.Column("ticket_id", sa.Text, primary_key=True),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("solved_at", MOMENT),
        sa.Column("changed_at", MOMENT, nullable=False),
    )
    op.create_index("ix_tickets_changed_at", "tickets", ["changed_at"])
    op.create_table(
        "decisions",
        sa.Column("solve", sa.Text, primary_key=True),
        sa.Column("ticket_id", sa.Text, nullable=False),
        sa.Column("solved_at", MOMENT, nullable=False),
        sa.Column("send", sa.Boolean, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
    )
    op.create_index("ix_decisions_ticket_id", "decisions", ["ticket_id"])
    op.create_index("ix_decisions_decided_at", "decisions", ["decided_at"])


def _surveys_and_ratings() -> None:
    op.create_table(
        "surveys",
        sa.Column("ticket_id", sa.Text, primary_key=True),
        sa.Column("survey_id", sa.Text, nullable=False, unique=True),
        sa.Column("solved_at", MOMENT, nullable=False),
        sa.Column("requester_id", sa.Text),
        sa.Column("asking_since", MOMENT, nullable=False),
        sa.Column("sent_at", MOMENT),
        sa.Column("tagged_at", MOMENT),
    )
    op.create_index("surveys_sent", "surveys", ["sent_at"])
    op.create_table(
        "ratings",
        sa.Column("ticket_id", sa.Text, primary_key=True),
        sa.Column("rating_id", sa.Text, nullable=False, unique=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("score", sa.Text, nullable=False),
        sa.Column("comment", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("requester_id", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("rated_at", MOMENT, nullable=False),
    )
    op.create_index("ratings_score", "ratings", ["score"])


def downgrade() -> None:
    for table in ("ratings", "surveys", "decisions", "tickets"):
        op.drop_table(table)
    drop_engine_0001(op)
