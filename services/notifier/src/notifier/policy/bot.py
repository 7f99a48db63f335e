"""Who may ask the Support Bot what (YAML, section `notifier.bot`; docs/rules.md N7)."""

from collections.abc import Collection
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from notifier.policy.conditions import Name
from supportops.config.durations import Duration
from supportops.config.rules_file import Rules

Command = Literal["views", "view", "ticket", "breaching", "csat", "mine"]
ChannelId = Annotated[str, StringConstraints(pattern=r"^[CGD][A-Z0-9]{2,20}$")]
GroupId = Annotated[str, StringConstraints(pattern=r"^S[A-Z0-9]{2,20}$")]
UserId = Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,20}$")]
ONE_MINUTE = timedelta(minutes=1)


class Access(Rules):
    """One permission: `commands` (empty: all) may be asked in `channels` (ids; empty: everywhere, also in private)

    by who is in one of the user `groups` (ids, S…) or is one of `users` (ids, U…); both empty: by everybody.
    """

    commands: tuple[Command, ...] = ()
    channels: tuple[ChannelId, ...] = ()
    groups: tuple[GroupId, ...] = ()
    users: tuple[UserId, ...] = ()

    def covers(self, command: str, channel: str) -> bool:
        """Whether it is about this command in this channel."""
        return command in (self.commands or (command,)) and channel in (self.channels or (channel,))

    def is_for(self, user: str, groups: Collection[str]) -> bool:
        """Whether it is for somebody who is in `groups`."""
        for_all = not self.groups and not self.users
        return for_all or user in self.users or any(group in groups for group in self.groups)


class ViewsPolicy(Rules):
    """Which views are counted and how often.

    `names`: only these, by their titles (empty: all active ones that are nobody's own). `every`: twenty of them at a
    time, those that were not asked about for longest; Zendesk takes six such calls in five minutes. `list_every`: how
    often the list itself is read.
    """

    names: tuple[Name, ...] = ()
    every: Duration = ONE_MINUTE
    list_every: Duration = timedelta(minutes=10)

    @model_validator(mode="after")
    def _within_zendesks_limit(self) -> Self:
        if self.every < ONE_MINUTE:
            raise ValueError("every: a minute or more, as Zendesk takes six such calls in five minutes")
        if self.list_every < self.every:
            raise ValueError("list_every: not shorter than `every`")
        return self


class BotPolicy(Rules):
    """What the bot may be asked. No permission that covers a question: it is refused.

    People of other workspaces never get an answer, and guests of this one only with `guests`. `patience`: how long an
    answer may wait for Zendesk or csat before it says that they do not answer. `rows`: lines of a list of tickets.
    """

    access: tuple[Access, ...] = (Access(),)
    guests: bool = False
    views: ViewsPolicy = ViewsPolicy()
    patience: Duration = timedelta(seconds=8)
    rows: int = Field(default=10, ge=1, le=30)

    @model_validator(mode="after")
    def _answers_in_time(self) -> Self:
        if not timedelta(seconds=1) <= self.patience <= timedelta(seconds=20):
            raise ValueError("patience: from 1s to 20s")
        return self

    def may_ask(self, command: str, channel: str, user: str, groups: Collection[str]) -> bool:
        """Whether a permission covers the question."""
        return any(each.is_for(user, groups) for each in self.access if each.covers(command, channel))

    def groups_for(self, command: str, channel: str) -> tuple[str, ...]:
        """The user groups that decide about the question."""
        return tuple(
            {group for each in self.access if each.covers(command, channel) for group in each.groups}
        )
