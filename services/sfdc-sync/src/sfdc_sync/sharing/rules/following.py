"""Joiners and leavers: how an option that is in force follows the membership."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sfdc_sync.sharing.rules.access import Situation
from sfdc_sync.sharing.rules.options import ORGANIZATION, REQUESTED, Option, SharingState, target_of
from sfdc_sync.sharing.rules.plan import Difference


@dataclass(frozen=True)
class Followed:
    """Who came and went, what is to be written for them, and what the request holds from then on.

    `levels`: user ids with the level to write, of joiners and leavers. `target` and `before` name the members of now.
    """

    joined: tuple[str, ...]
    left: tuple[str, ...]
    levels: Mapping[str, str]
    target: SharingState
    before: SharingState


def followed(
    option: Option,
    before: SharingState,
    target: SharingState,
    situation: Situation,
    gone: Mapping[str, str | None],
    elsewhere: Collection[str],
) -> Followed:
    """Joiners get what the option gives to those who are not named, leavers lose what it gave.

    `gone`: present levels of those who have left. Nobody is opened here: somebody who was selected, left and came back
    needs a new approval. Whom a request of another organization has opened (`elsewhere`) is not closed by leaving.
    """
    now = situation.state.members
    joined = [user_id for user_id in now if user_id not in target.members]
    wanted = target_of(option, joined, (), elsewhere).members
    left = sorted(user_id for user_id in target.members if user_id not in now)
    levels = {user_id: REQUESTED for user_id in wanted if now[user_id] != REQUESTED}
    levels |= {
        user_id: REQUESTED
        for user_id in left
        if target.members[user_id] == ORGANIZATION == gone.get(user_id) and user_id not in elsewhere
    }
    stay = target.members.keys() - set(left)
    members = {user_id: target.members[user_id] for user_id in sorted(stay)}
    former = {user_id: level for user_id, level in before.members.items() if user_id in stay}
    former |= {user_id: before.members.get(user_id, now[user_id]) for user_id in wanted}
    return Followed(
        tuple(sorted(wanted)),
        tuple(left),
        levels,
        SharingState(target.organization, {**members, **wanted}),
        SharingState(before.organization, former),
    )


def unfollowed(target: SharingState, situation: Situation) -> list[Difference]:
    """Who came and went, where the option stays with the people of its approval."""
    now = situation.state.members
    came = [
        Difference(user_id, "membership", "not a member", "joined")
        for user_id in sorted(now.keys() - target.members.keys())
    ]
    went = [
        Difference(user_id, "membership", "member", "left")
        for user_id in sorted(target.members.keys() - now.keys())
    ]
    return came + went
