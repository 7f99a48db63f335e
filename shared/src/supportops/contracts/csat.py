"""Survey and feedback events of the csat service, version 1 (docs/rules.md C1-C4)."""

from typing import ClassVar, Literal

from pydantic import Field

from supportops.contracts.envelope import Event, UtcDatetime, ZendeskId


class SurveyEvent(Event):
    """What survey events share: one decision per (ticket_id, solved_at)."""

    topic: ClassVar[str] = "csat.surveys"

    ticket_id: ZendeskId
    solved_at: UtcDatetime


class SurveySent(SurveyEvent):
    """The requester was asked for a rating."""

    type: ClassVar[str] = "csat.survey.sent.v1"
    survey_id: str
    sent_at: UtcDatetime


class SurveySkipped(SurveyEvent):
    """It was decided not to ask, with the rule that said so."""

    type: ClassVar[str] = "csat.survey.skipped.v1"
    rule: str = Field(description="name of the rule, e.g. organization")
    reason: str = Field(description="one sentence for people")


class FeedbackReceived(Event):
    """A vote, also a changed one. Semantic key: (ticket_id, rating_id, rated_at)."""

    type: ClassVar[str] = "csat.feedback.received.v1"
    topic: ClassVar[str] = "csat.feedback"

    ticket_id: ZendeskId
    rating_id: str
    score: Literal["good", "bad"]
    comment: str | None = None
    reason: str | None = Field(default=None, description="one of the five reasons of rule C10")
    requester_id: str | None = None
    rated_at: UtcDatetime
    source_kind: Literal["hosted", "native"] = Field(description="our page, or Zendesk's own rating")


CSAT_EVENTS: tuple[type[Event], ...] = (SurveySent, SurveySkipped, FeedbackReceived)
