"""User events, version 1 (docs/vendors/zendesk.md#event-bodies): of people only what somebody of ours acts on."""

from typing import ClassVar

from pydantic import Field

from supportops.contracts.envelope import Event, ZendeskId


class UserMerged(Event):
    """Two accounts of one person became one. Which of the two lives on is not documented: take them as one person."""

    topic: ClassVar[str] = "zendesk.users"
    type: ClassVar[str] = "support.user.merged.v1"

    account_id: str
    user_id: ZendeskId
    other_user_id: ZendeskId
    version: str = Field(description="sortable, see supportops.ticket_version")
    own_action: bool = Field(default=False, description="the actor is one of our integration users")


USER_EVENTS: tuple[type[Event], ...] = (UserMerged,)
