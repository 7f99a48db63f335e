"""The five options of a shared organization, each as the full state that it sets (docs/sharing.md#the-five-options)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

Restriction = Literal["requested", "organization"]
REQUESTED: Final[Restriction] = "requested"
ORGANIZATION: Final[Restriction] = "organization"


class Option(StrEnum):
    """What a request may ask for; the values stand in rows, in the audit and on the command line."""

    OWN_TICKETS = "own_tickets"
    ALL_VIEW = "all_view"
    ALL_COMMENT = "all_comment"
    SELECTED_VIEW = "selected_view"
    SELECTED_COMMENT = "selected_comment"


@dataclass(frozen=True)
class Sharing:
    """The two settings of an organization: `shared_tickets` and `shared_comments`."""

    tickets: bool
    comments: bool


@dataclass(frozen=True)
class SharingState:
    """An organization's settings, and `ticket_restriction` of its end users by id; None as Zendesk gives it."""

    organization: Sharing
    members: Mapping[str, str | None]


@dataclass(frozen=True)
class OptionRule:
    """What an option sets. `selects`: it names people. `effect`: what it will really do, where Zendesk's own words
    leave that open.
    """

    title: str
    organization: Sharing
    selects: bool = False
    effect: str = ""


_MORE_PERMISSIVE = (
    "The organization shares nothing; each person named here is opened by their own level, which opens the tickets of "
    "every organization that they belong to."
)
OPTIONS: Final[Mapping[Option, OptionRule]] = {
    Option.OWN_TICKETS: OptionRule("Users view and edit their own tickets only", Sharing(False, False)),
    Option.ALL_VIEW: OptionRule("All users view all tickets, no comments", Sharing(True, False)),
    Option.ALL_COMMENT: OptionRule("All users view and comment on all tickets", Sharing(True, True)),
    Option.SELECTED_VIEW: OptionRule(
        "Only selected users view all the organization's tickets",
        Sharing(False, False),
        selects=True,
        effect=f"{_MORE_PERMISSIVE} UNCONFIRMED: that they can view only; Zendesk documents it so.",
    ),
    Option.SELECTED_COMMENT: OptionRule(
        "Only selected users view and comment",
        Sharing(False, True),
        selects=True,
        effect=f"{_MORE_PERMISSIVE} UNCONFIRMED: whether they can comment; Zendesk may let them view only.",
    ),
}


def target_of(
    option: Option,
    members: Iterable[str],
    selected: Collection[str] = (),
    given_elsewhere: Collection[str] = (),
) -> SharingState:
    """The full state that `option` sets for an organization with these end users.

    The organization's level opens for all or for nobody; whoever is not selected is brought down to their own tickets,
    so that no level of an earlier option stays behind. Only where the organization's own level opens everything anyway
    are those left as they are whose level another request in force has given them (`given_elsewhere`).
    """
    rule = OPTIONS[option]
    restrictions: dict[str, str | None] = {}
    for user_id in members:
        if rule.selects and user_id in selected:
            restrictions[user_id] = ORGANIZATION
        elif not (rule.organization.tickets and user_id in given_elsewhere):
            restrictions[user_id] = REQUESTED
    return SharingState(rule.organization, restrictions)
