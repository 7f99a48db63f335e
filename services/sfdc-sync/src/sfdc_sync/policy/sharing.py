"""What the organization decides about shared organizations (YAML, `sfdc_sync.sharing`; docs/sharing.md)."""

from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from supportops.config.durations import Duration
from supportops.config.rules_file import Rules
from supportops.config.validation_messages import matching

Phrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]
Tag = Annotated[str, matching(r"[a-z0-9_]{1,80}", "a tag: lower-case letters, digits and underscores")]
PLACES = ("reference", "organization", "option", "request")


def _fillable(text: str) -> str:
    """Words in braces are the ones that we fill in; the reference is what a comment is known by."""
    try:
        filled = text.format(**{name: f"<{name}>" for name in PLACES})
    except (KeyError, ValueError, IndexError, AttributeError):
        allowed = ", ".join(f"{{{name}}}" for name in PLACES)
        raise ValueError(f"what stands in braces must be one of: {allowed}") from None
    if "<reference>" not in filled:
        raise ValueError("must hold {reference}: by it we know that the comment is there already")
    return text


CommentText = Annotated[str, StringConstraints(min_length=1, max_length=5_000), AfterValidator(_fillable)]


class AcceptancePolicy(Rules):
    """How we know that the customer agrees: one of the phrases or one of the tags is enough."""

    phrases: tuple[Phrase, ...] = ("We accept that members of our organization see each other's tickets",)
    tags: tuple[Tag, ...] = ("shared_organization_accepted",)

    @model_validator(mode="after")
    def _one_way_at_least(self) -> Self:
        if not self.phrases and not self.tags:
            raise ValueError("needs a phrase or a tag: without, no request could ever be accepted")
        return self


class SharingCommentPolicy(Rules):
    """What the customer's ticket is told."""

    public: bool = Field(default=True, description="false: only agents read it")
    applied: CommentText = (
        "The tickets of {organization} are now shared as agreed: {option}.\n\nReference: {reference}"
    )
    undone: CommentText = (
        "How the tickets of {organization} were shared before is in force again.\n\nReference: {reference}"
    )
    undone_in_part: CommentText = Field(
        default="What was agreed about the tickets of {organization} is taken back. Support has changed part of it "
        "since: that stays as it is now.\n\nReference: {reference}",
        description="where undoing left alone what somebody had changed by hand",
    )


class SharingPolicy(Rules):
    """`sfdc_sync.sharing:` in the rules' file."""

    acceptance: AcceptancePolicy = AcceptancePolicy()
    forbidding_notes: tuple[Phrase, ...] = Field(
        default=("no shared organization",),
        description="in an organization's notes or details: no request for it is taken",
    )
    patience: Duration = Field(
        default=timedelta(days=7), description="a request without an answer ends after this"
    )
    follow_membership: bool = Field(
        default=True,
        description="joiners are brought into line, leavers lose it; false: it stays with the people approved",
    )
    watch_every: Duration = Field(
        default=timedelta(hours=1), description="how often Zendesk is compared with what was applied"
    )
    comment: SharingCommentPolicy = SharingCommentPolicy()
    ticket_updates_per_minute: int | None = Field(
        default=10,
        ge=1,
        le=1_000,
        description="our share of the account's limit of ticket updates; null lifts it",
    )
    keep_names: Duration = Field(
        default=timedelta(days=90),
        description="how long names of members stay with a request that is decided",
    )
