"""What the organization decides about Salesforce (YAML, section `sfdc_sync`)."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from sfdc_sync.policy.matching import MatchingPolicy
from sfdc_sync.policy.organizations import OrganizationsPolicy
from sfdc_sync.policy.pauses import Pauses
from sfdc_sync.policy.sharing import SharingPolicy
from sfdc_sync.policy.ticket_records import SkewPolicy, TicketRecordPolicy
from supportops.config.durations import Duration
from supportops.config.rules_file import Mistakes, Rules


def _bounded(step: timedelta) -> timedelta:
    if step > timedelta(hours=8):
        raise ValueError("must be 8h at most: a longer wait is taken for the work of a clock that was wrong")
    return step


Step = Annotated[Duration, AfterValidator(_bounded)]
"""A wait between two attempts."""


class SfdcPolicy(Rules):
    """The section as a whole."""

    ticket_record: TicketRecordPolicy = TicketRecordPolicy()
    matching: MatchingPolicy = MatchingPolicy()
    organizations: OrganizationsPolicy = OrganizationsPolicy()
    sharing: SharingPolicy = SharingPolicy()
    batch: int = Field(default=200, ge=1, le=200, description="records in one call; Salesforce takes 200")
    linger: Duration = timedelta(seconds=1)
    retry: tuple[Step, ...] = tuple(
        timedelta(seconds=seconds) for seconds in (1, 2, 4, 8, 60, 600, 3_600, 21_600)
    )
    pauses: Pauses = Pauses()
    quota_share: float = Field(
        default=0.95, gt=0, le=1, description="of the daily requests, at which writing tickets pauses"
    )
    bulk_quota_share: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="the same for comparing, syncing and checking, so that tickets have the rest",
    )
    skew: SkewPolicy = SkewPolicy()
    organization_salesforce_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,100}$")] = Field(
        default="salesforce_id", description="the organization field that holds the account's id"
    )
    lookup_lifetime: Duration = Field(
        default=timedelta(minutes=10),
        description="how long a name, an e-mail or an account that was read is reused",
    )

    @model_validator(mode="after")
    def _one_field_links(self) -> Self:
        if self.organization_salesforce_id != (key := self.organizations.salesforce_id):
            wrong = f"must be {key}, the field of organizations.fields whose source is Id"
            raise Mistakes({("organization_salesforce_id",): wrong})
        return self
