"""Whether somebody may ask: one of our own people, by the rules of the file. What cannot be told is a no.

Asked where the answer is made, of Slack itself: what a request says of its sender decides nothing but a refusal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from notifier.bot.questions import Asked, Question
from notifier.policy.bot import BotPolicy
from notifier.slack.client import SlackClient, SlackCredentialError, SlackRefused
from notifier.slack.reads import audience_of

BELIEVED = timedelta(minutes=2)  # who somebody is, and which groups they are in
MOST = 5_000
OUTSIDER = "Only people of this workspace get answers."
GUEST = "Guests of this workspace get no answers; whoever keeps the notifier's rules can allow them."
NOT_ALLOWED = (
    "You may not ask that here; whoever keeps the notifier's rules (notifier.bot.access) can allow it."
)
UNSEEN = "I cannot see who you are, so I say nothing. `notifier doctor` names the scope that my token lacks."


@dataclass(frozen=True)
class Person:
    """Somebody as Slack shows them. `teams`: every workspace that they belong to."""

    id: str
    teams: frozenset[str]
    email: str | None
    is_stranger: bool
    is_guest: bool
    is_nobody: bool


@dataclass(frozen=True)
class Admitted:
    """Who may have an answer. `openly`: others may read it."""

    person: Person
    openly: bool


@dataclass(frozen=True)
class Refused:
    """Why there is none, for whoever asked."""

    words: str


class Gate:
    """Asks Slack who somebody is, and the rules what they may ask. `team`: our workspace."""

    def __init__(self, slack: SlackClient, policy: BotPolicy, team: str | None) -> None:
        self._slack, self._policy, self._team = slack, policy, team
        self._people: dict[str, tuple[Person, datetime]] = {}
        self._groups: dict[str, tuple[frozenset[str], datetime]] = {}

    async def admit(self, question: Question, asked: Asked) -> Admitted | Refused:
        """Whether the question is answered, and whether openly. Raises what Slack's client raises when it is away."""
        if question.home is not None and question.home != self._team:
            return Refused(OUTSIDER)
        try:
            person = await self.person(question.user)
            if person is None or self._team not in person.teams or person.is_stranger or person.is_nobody:
                return Refused(OUTSIDER)
            if person.is_guest and not self._policy.guests:
                return Refused(GUEST)
            if asked.needs_leave and not await self._is_allowed(question, asked):
                return Refused(NOT_ALLOWED)
        except SlackCredentialError as error:
            if error.code != "missing_scope":
                raise
            return Refused(UNSEEN)
        return Admitted(person, question.response_url is None and await self._is_ours(question.channel))

    async def person(self, user: str) -> Person | None:
        """Somebody by id; None for whom Slack does not show."""
        if (known := self._fresh(self._people, user)) is not None:
            return known
        try:
            answer = await self._slack.read("users.info", {"user": user})
        except SlackRefused:
            return None
        shown = answer.get("user")
        found = _person(user, shown if isinstance(shown, dict) else {})
        self._keep(self._people, user, found)
        return found

    async def _is_allowed(self, question: Question, asked: Asked) -> bool:
        command, channel = asked.command, question.channel
        groups = set()
        for group in self._policy.groups_for(command, channel):
            if question.user in await self._members(group):
                groups.add(group)
        return self._policy.may_ask(command, channel, question.user, groups)

    async def _members(self, group: str) -> frozenset[str]:
        """The people of a user group; nobody where Slack knows no such group."""
        if (known := self._fresh(self._groups, group)) is not None:
            return known
        try:
            answer = await self._slack.read("usergroups.users.list", {"usergroup": group})
        except SlackRefused:
            answer = {}
        users = answer.get("users")
        found = (
            frozenset(each for each in users if isinstance(each, str))
            if isinstance(users, list)
            else frozenset()
        )
        self._keep(self._groups, group, found)
        return found

    async def _is_ours(self, channel: str) -> bool:
        """Whether only our own people read the channel; what cannot be told counts as no."""
        try:
            return not (await audience_of(self._slack, channel)).is_shared
        except SlackRefused:
            return False
        except SlackCredentialError as error:
            if error.code != "missing_scope":
                raise
            return False

    def _fresh[T](self, table: dict[str, tuple[T, datetime]], key: str) -> T | None:
        found = table.get(key)
        return found[0] if found is not None and self._slack.now() < found[1] else None

    def _keep[T](self, table: dict[str, tuple[T, datetime]], key: str, value: T) -> None:
        if len(table) >= MOST:
            table.clear()
        table[key] = (value, self._slack.now() + BELIEVED)


def _person(user: str, shown: Mapping[str, Any]) -> Person:
    """Flags that are missing are no; a team that is missing is none of ours."""
    grid, profile = shown.get("enterprise_user"), shown.get("profile")
    teams = grid.get("teams") if isinstance(grid, dict) else None
    listed = {each for each in teams if isinstance(each, str)} if isinstance(teams, list) else set()
    home = shown.get("team_id")
    email = profile.get("email") if isinstance(profile, dict) else None
    return Person(
        id=user,
        teams=frozenset(listed | ({home} if isinstance(home, str) else set())),
        email=email if isinstance(email, str) and email else None,
        is_stranger=shown.get("is_stranger") is True,
        is_guest=shown.get("is_restricted") is True or shown.get("is_ultra_restricted") is True,
        is_nobody=shown.get("is_bot") is True or shown.get("deleted") is True,
    )
