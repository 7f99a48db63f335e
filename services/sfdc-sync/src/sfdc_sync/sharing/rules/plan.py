"""From one state to another: what is written in which order, what undoing puts back, what somebody changed since."""

from collections.abc import Collection, Mapping, Sequence
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
    """Something that is not as a request set it, or as undoing would have set it. `subject`: the organization's or the
    user's id.
    """

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


def not_kept(wrong: Sequence[Difference]) -> str:
    """In words that what was written is not what is read."""
    first = wrong[0]
    told = f"{first.field} of {first.subject} is {first.found}, not {first.wanted}"
    more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return f"Zendesk did not keep what was written: {told}{more}. May the integration's user change it?"


def undone(
    before: SharingState, applied: SharingState, now: SharingState, left: Collection[str] = ()
) -> tuple[SharingState, list[Difference]]:
    """The state that undoing sets, and what it leaves alone because somebody has changed it since.

    `now` holds the members of today and those who have `left` as well: these are only ever brought down. Each of the
    two settings of the organization is judged by itself; where somebody has changed one of them, nothing is opened
    beside it: what was before, next to what is new, would be a state that nobody chose.
    """
    organization, kept = _settings_back(before.organization, applied.organization, now.organization)
    closing_only = bool(kept)
    members: dict[str, str | None] = {}
    for user_id in sorted(applied.members.keys() & before.members.keys() & now.members.keys()):
        given, was, is_now = (state.members[user_id] or REQUESTED for state in (applied, before, now))
        back = REQUESTED if user_id in left else was
        if is_now == given and not (closing_only and back == ORGANIZATION != is_now):
            members[user_id] = back
        elif is_now != was:
            kept.append(Difference(user_id, "ticket_restriction", was, is_now))
    return SharingState(organization, members), kept


def _settings_back(before: Sharing, applied: Sharing, now: Sharing) -> tuple[Sharing, list[Difference]]:
    """The organization's settings after undoing, and those that are not as they were before.

    One that is neither as it was set nor as it was before was changed by hand, and stays.
    """
    rows = [(name, getattr(before, name), getattr(applied, name), getattr(now, name)) for name in _SETTINGS]
    by_hand = {name for name, was, given, is_now in rows if is_now not in (was, given)}
    if not by_hand:
        return before, []
    back = {name: is_now if name in by_hand else is_now and was for name, was, _, is_now in rows}
    kept = [
        Difference("", _SETTINGS[name], str(was).lower(), str(back[name]).lower())
        for name, was, _, _ in rows
        if back[name] != was
    ]
    return Sharing(**back), kept


_SETTINGS: Mapping[str, str] = {"tickets": "shared_tickets", "comments": "shared_comments"}
"""Fields of `Sharing` with Zendesk's names of them."""
