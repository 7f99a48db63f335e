"""Who sees what: the more permissive of organization and user wins (docs/vendors/zendesk.md#organizations)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sfdc_sync.sharing.rules.options import ORGANIZATION, Sharing, SharingState


class Level(IntEnum):
    """What somebody may do with tickets of their organization that are not their own."""

    OWN = 0
    VIEW = 1
    COMMENT = 2

    @property
    def words(self) -> str:
        """For people."""
        return ("own tickets only", "views all tickets", "views and comments on all tickets")[self]


@dataclass(frozen=True)
class Access:
    """`level` is documented; `perhaps` is the most that Zendesk may grant, higher where that is UNCONFIRMED."""

    level: Level
    perhaps: Level

    @property
    def words(self) -> str:
        """For people; what is not certain is said."""
        if self.perhaps is self.level:
            return self.level.words
        return f"{self.level.words}; UNCONFIRMED: perhaps {self.perhaps.words}"

    def exceeds(self, other: "Access") -> bool:
        """Whether it may let somebody do what `other` does not."""
        return self.level > other.level or self.perhaps > other.perhaps


def effective(organization: Sharing, restriction: str | None) -> Access:
    """What the two levels together grant an end user."""
    opened = Level.COMMENT if organization.comments else Level.VIEW
    by_organization = opened if organization.tickets else Level.OWN
    by_user = Level.VIEW if restriction == ORGANIZATION else Level.OWN
    documented = max(by_organization, by_user)
    return Access(documented, max(documented, opened if by_user else Level.OWN))


@dataclass(frozen=True)
class OtherOrganization:
    """One more organization of a member, as it stands."""

    organization_id: str
    name: str
    sharing: Sharing


@dataclass(frozen=True)
class Member:
    """Somebody of the organization. Agents are not restricted by it, and are left alone.

    `others`: the further organizations of an end user, read for those whose own level opens or would open them.
    """

    user_id: str
    name: str
    email: str | None = None
    restriction: str | None = None
    end_user: bool = True
    suspended: bool = False
    others: tuple[OtherOrganization, ...] = ()


@dataclass(frozen=True)
class Change:
    """One person's access to the tickets of one organization, now and then."""

    user_id: str
    user: str
    organization_id: str
    organization: str
    now: Access
    then: Access

    @property
    def opens(self) -> bool:
        """Whether it may let them do more than they can now."""
        return self.then.exceeds(self.now)

    @property
    def closes(self) -> bool:
        """Whether it takes something away."""
        return self.now.exceeds(self.then)

    def as_json(self) -> dict[str, Any]:
        """For a row of the database and for `--json`."""
        return {
            "user_id": self.user_id,
            "user": self.user,
            "organization_id": self.organization_id,
            "organization": self.organization,
            "now": [self.now.level, self.now.perhaps],
            "then": [self.then.level, self.then.perhaps],
        }

    @classmethod
    def of_json(cls, found: Mapping[str, Any]) -> "Change":
        """What `as_json` gave."""
        texts = {name: found[name] for name in ("user_id", "user", "organization_id", "organization")}
        now, then = (Access(*(Level(level) for level in found[name])) for name in ("now", "then"))
        return cls(**texts, now=now, then=then)


@dataclass(frozen=True)
class Situation:
    """An organization as it was read."""

    organization_id: str
    name: str
    sharing: Sharing
    members: tuple[Member, ...]

    @property
    def end_users(self) -> tuple[Member, ...]:
        """Whom sharing concerns."""
        return tuple(member for member in self.members if member.end_user)

    @property
    def state(self) -> SharingState:
        """What can be set of it."""
        return SharingState(self.sharing, {each.user_id: each.restriction for each in self.end_users})


def changes(situation: Situation, target: SharingState) -> list[Change]:
    """Every end user's access now and then, to this organization first; of other ones only where it changes."""
    own, elsewhere = [], []
    for member in situation.end_users:
        then = target.members.get(member.user_id, member.restriction)
        here = OtherOrganization(situation.organization_id, situation.name, situation.sharing)
        own.append(_change(member, here, target.organization, then))
        beside = (_change(member, other, other.sharing, then) for other in member.others)
        elsewhere += [change for change in beside if change.now != change.then]
    return own + elsewhere


def _change(member: Member, place: OtherOrganization, sharing: Sharing, restriction: str | None) -> Change:
    now, then = effective(place.sharing, member.restriction), effective(sharing, restriction)
    return Change(member.user_id, member.name, place.organization_id, place.name, now, then)


def beyond(shown: Iterable[Change], fresh: Iterable[Change]) -> list[Change]:
    """What would open now that nobody was shown: compared person by person and organization by organization."""
    known = {(each.user_id, each.organization_id): each.then for each in shown}
    return [
        each
        for each in fresh
        if each.opens
        and ((before := known.get((each.user_id, each.organization_id))) is None or each.then.exceeds(before))
    ]
