"""From one state to another: what is written in which order, what undoing puts back, what somebody changed since."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sfdc_sync.sharing.rules.options import ORGANIZATION, REQUESTED, Sharing, SharingState


@dataclass(frozen=True)
class Step:
    """Writes that may be made in any order: the organization's settings (None: as they are), and members' levels."""

    organization: Sharing | None
    members: Mapping[str, str]

    def __bool__(self) -> bool:
        return self.organization is not None or bool(self.members)


def steps_to(target: SharingState, now: SharingState) -> tuple[Step, Step]:
    """What takes away comes before what opens.

    So at any moment, also when it ends half-way, nobody can do more than before or more than the target says. People
    whom the target does not name stay as they are; what is right already is not written.
    """
    both = Sharing(
        now.organization.tickets and target.organization.tickets,
        now.organization.comments and target.organization.comments,
    )
    wrong = {
        user_id: wanted or REQUESTED
        for user_id, wanted in target.members.items()
        if user_id in now.members and now.members[user_id] != (wanted or REQUESTED)
    }
    lower = {user_id: wanted for user_id, wanted in wrong.items() if wanted != ORGANIZATION}
    higher = {user_id: wanted for user_id, wanted in wrong.items() if wanted == ORGANIZATION}
    return (
        Step(both if both != now.organization else None, lower),
        Step(target.organization if target.organization != both else None, higher),
    )


@dataclass(frozen=True)
class Difference:
    """Something that is not as a request set it. `subject`: the organization's or the user's id."""

    subject: str
    field: str
    wanted: str
    found: str


def drift(applied: SharingState, now: SharingState, organization_id: str) -> list[Difference]:
    """What is not as it was set, among the organization and those members who are still there."""
    found = [
        Difference(organization_id, field, str(wanted).lower(), str(is_now).lower())
        for field, wanted, is_now in (
            ("shared_tickets", applied.organization.tickets, now.organization.tickets),
            ("shared_comments", applied.organization.comments, now.organization.comments),
        )
        if wanted != is_now
    ]
    return found + [
        Difference(user_id, "ticket_restriction", wanted or REQUESTED, now.members[user_id] or "null")
        for user_id, wanted in sorted(applied.members.items())
        if user_id in now.members and now.members[user_id] != wanted
    ]


def undone(
    before: SharingState, applied: SharingState, now: SharingState, left: Collection[str] = ()
) -> tuple[SharingState, list[Difference]]:
    """The state that undoing sets, and what it leaves alone because somebody has changed it since.

    `now` holds the members of today and those who have `left` as well: these are only ever brought down. The two
    settings of the organization are one thing: half of what was before would be a state that nobody chose.
    """
    kept: list[Difference] = []
    organization = before.organization
    if now.organization not in (applied.organization, before.organization):
        organization = now.organization
        kept.append(
            Difference("", "organization", _pair(applied.organization), _pair(now.organization)),
        )
    members: dict[str, str | None] = {}
    for user_id in sorted(applied.members.keys() & before.members.keys() & now.members.keys()):
        given, was, is_now = (state.members[user_id] or REQUESTED for state in (applied, before, now))
        if is_now == given:
            members[user_id] = REQUESTED if user_id in left else was
        elif is_now != was:
            kept.append(Difference(user_id, "ticket_restriction", given, is_now))
    return SharingState(organization, members), kept


def _pair(sharing: Sharing) -> str:
    tickets, comments = str(sharing.tickets).lower(), str(sharing.comments).lower()
    return f"shared_tickets {tickets}, shared_comments {comments}"
