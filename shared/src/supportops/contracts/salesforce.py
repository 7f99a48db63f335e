"""Events of the sfdc-sync service, version 1."""

from typing import ClassVar, Literal

from pydantic import Field

from supportops.contracts.envelope import Event, Part, UtcDatetime, ZendeskId


class SalesforceAccount(Part):
    """A customer as Salesforce knows it."""

    id: str = Field(description="Salesforce's id of the account, 18 characters")
    name: str


class SalesforcePerson(Part):
    """Who looks after an account. Either may be null: a name without an address, or the other way round."""

    name: str | None = None
    email: str | None = None


class RecordWritten(Event):
    """Salesforce holds the ticket record as of ``version``.

    Account and people are those of the moment of writing: absent is unknown (an older writer, or nothing of the
    account is read), null is known to be missing.
    """

    type: ClassVar[str] = "salesforce.record.written.v1"
    topic: ClassVar[str] = "salesforce.records"

    ticket_id: ZendeskId
    record_id: str = Field(description="Salesforce's id of the record")
    created: bool
    version: str = Field(description="version of the ticket state that was written")
    account: SalesforceAccount | None = None
    technical_account_manager: SalesforcePerson | None = None
    account_owner: SalesforcePerson | None = None
    account_match: str | None = Field(
        default=None,
        description="the rule that found the account: salesforce_id, organization_id, name, contact; conflict or none",
    )
    contact_match: str | None = Field(
        default=None,
        description="the rule that found the contact: email, email_on_account, email_active; ambiguous_contact or none",
    )


class IntegrityReport(Part):
    """One report of an integrity run: `open` counts what is wrong now, `new` and `fixed` what changed since the last
    run that judged this report. `new` is part of `open`.
    """

    name: str = Field(description="name of the report, e.g. support_level_mismatch")
    severity: Literal["high", "medium", "low"]
    new: int = Field(ge=0)
    fixed: int = Field(ge=0)
    open: int = Field(ge=0)
    tickets: int = Field(default=0, ge=0, description="open tickets of the organizations concerned")
    ignored: int = Field(default=0, ge=0, description="findings on the ignore list; not part of `open`")


class IntegrityChecked(Event):
    """Salesforce's accounts and Zendesk's organizations were compared. Semantic key: run_id."""

    type: ClassVar[str] = "salesforce.integrity.checked.v1"
    topic: ClassVar[str] = "salesforce.integrity"

    run_id: str
    checked_at: UtcDatetime = Field(description="when reading began; the figures are of that moment")
    accounts: int = Field(ge=0, description="accounts read")
    organizations: int = Field(ge=0, description="organizations read")
    reports: list[IntegrityReport] = Field(
        description="every report that was judged, also those that found nothing"
    )
    not_judged: list[str] = Field(
        default_factory=list,
        description="reports that could not be judged this time; nothing of them is new or fixed",
    )


SALESFORCE_EVENTS: tuple[type[Event], ...] = (RecordWritten, IntegrityChecked)
