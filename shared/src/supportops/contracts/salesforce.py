"""Events of the sfdc-sync service, version 1."""

from typing import ClassVar

from pydantic import Field

from supportops.contracts.envelope import Event, ZendeskId


class RecordWritten(Event):
    """Salesforce holds the ticket record as of ``version``."""

    type: ClassVar[str] = "salesforce.record.written.v1"
    topic: ClassVar[str] = "salesforce.records"

    ticket_id: ZendeskId
    record_id: str = Field(description="Salesforce's id of the record")
    created: bool
    version: str = Field(description="version of the ticket state that was written")


SALESFORCE_EVENTS: tuple[type[Event], ...] = (RecordWritten,)
