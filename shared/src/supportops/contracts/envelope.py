"""The base of every event: what travels in CloudEvents headers, and what "absent" means.

An event is a frozen model. Its envelope (id, source, time, subject, and two extension attributes) travels in
Kafka headers as CloudEvents 1.0 attributes; everything else is the JSON value.

A field that is absent is *unknown*; a field that is `None` is *known to be empty*. Both survive
the codec, because values are dumped without the fields that were never set. Ask with `Event.knows`.
"""

from datetime import UTC, datetime
from typing import Annotated, ClassVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # the last hours of the year 9999, west of Greenwich
        raise ValueError("a moment that UTC cannot say") from None


# Attributes become header bytes, keys and text columns: visible ASCII only, so that no control character or
# NUL (which PostgreSQL's text refuses) can come in through a header.
Attribute = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,255}$")]
ZendeskId = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,32}$")]
UtcDatetime = Annotated[AwareDatetime, AfterValidator(_to_utc)]


class Part(BaseModel):
    """A frozen piece of an event. Unknown keys are ignored: newer writers do not break older readers."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def knows(self, field: str) -> bool:
        """True if `field` was present, also when its value is None."""
        return field in self.model_fields_set


class Event(Part):
    """Something that happened, in the past tense.

    `type` is the CloudEvents type with its version ("support.ticket.solved.v1"), `topic` where it goes.
    """

    type: ClassVar[str]
    topic: ClassVar[str]

    id: Attribute = Field(exclude=True, description="ce_id: dedupes within one road")
    source: Attribute = Field(exclude=True, description="ce_source: who says so, e.g. /zendesk/22129848")
    time: UtcDatetime = Field(exclude=True, description="ce_time: when the source noticed the fact")
    subject: Attribute = Field(exclude=True, description="ce_subject: id of what it is about; the Kafka key")
    correlation_id: Attribute | None = Field(
        default=None, exclude=True, description="ce_correlationid: the id of the event that caused this one"
    )
    reprocess: Attribute | None = Field(
        default=None,
        exclude=True,
        description="ce_reprocess: the one consumer group that handles it again",
    )

    @property
    def root_id(self) -> str:
        """What all that follows from the same webhook carries as correlation id: its own id where nothing caused it."""
        return self.correlation_id or self.id
