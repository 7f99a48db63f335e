"""What we keep: what we know of a ticket, and what Salesforce holds of it.

They are apart because different hands write them: the consumer the first, the courier's outcomes the second.
Neither ever waits for a row that the other has locked.
"""

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text

from sfdc_sync.tables.base import metadata
from supportops.store import UtcDateTime

# `state`: JSON of TicketState. `revision` counts the changes of its values. `erased`: permanently deleted in
# Zendesk.
tickets = Table(
    "tickets",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("erased", Boolean, nullable=False, default=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

# `revision` and `version` are those of the state that was written last. `account_match` and `contact_match`: the rules
# that found account and contact; null while matching is off or nothing was known. `removed_at`: the record was put into
# the recycle bin then, because its ticket was deleted. `remarks`: JSON list of words about what is not as it stands.
ticket_records = Table(
    "ticket_records",
    metadata,
    Column("ticket_id", Text, primary_key=True),
    Column("record_id", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("written_at", UtcDateTime, nullable=False),
    Column("account_id", Text),
    Column("account_match", Text),
    Column("contact_id", Text),
    Column("contact_match", Text),
    Column("remarks", Text),
    Column("removed_at", UtcDateTime),
    Index("ix_ticket_records_account_id", "account_id"),
)
