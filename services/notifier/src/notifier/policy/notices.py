"""What the organization decides about notices that are no feed lines (YAML, section `notifier.notices`): docs/rules.md
N6 and S3, ratings, integrity.
"""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from notifier.policy.conditions import Name, NameRule
from notifier.policy.routing import Channel, Colour
from supportops.config.durations import Duration
from supportops.config.rules_file import Rules

Address = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[^@\s]+@[^@\s]+$")
]
SideAddress = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.:\[\]-]+/?$")]
SlackUser = Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,}$")]
Tag = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,80}$")]


class SuccessNotice(Rules):
    """N6: a ticket that breached `breached_after` of business hours ago, or has been open for `open_after` of them with
    no public answer of an agent for `quiet_for`.

    Once per ticket, until an agent answers publicly. Only where one of the organization's fields `manager_field` and
    `owner_field` is filled in. `schedule`: name of the account's schedule that counts; null: its first one. `tag` is
    for people and decides nothing; null: none.
    """

    channel: Channel
    breached_after: Duration = timedelta(hours=24)
    open_after: Duration = timedelta(hours=24)
    quiet_for: Duration = timedelta(hours=48)
    plans: NameRule = NameRule(exclude=("Custom", "Bronze", "Silver", "Gold", "Hold", "Community"))
    manager_field: Name = "technical_account_manager"
    owner_field: Name = "account_owner"
    schedule: Name | None = None
    tag: Tag | None = "customer_success_slack_message"
    colour: Colour = "#FC6D27"


class AccountManagerNotice(Rules):
    """S3: the account's Technical Account Manager hears of a new ticket record. Off where Salesforce tells them itself.

    `channel`: where the notice goes when the manager is nobody in Slack; null: nowhere.
    """

    enabled: bool = False
    channel: Channel | None = None
    colour: Colour = "#4AACD8"


class RatingNotice(Rules):
    """Bad ratings, in `channel`, or as a direct message to the manager of who has the ticket.

    `managers`: the manager's address by the agent's; for agents who have none here, the channel.
    """

    channel: Channel
    to: Literal["channel", "manager"] = "channel"
    managers: dict[Address, Address] = Field(default_factory=dict)
    colour: Colour = "#CC3340"


class IntegrityNotice(Rules):
    """What each integrity run found new and fixed, in `channel`; without any news at most once a day."""

    channel: Channel


class AlertNotice(Rules):
    """What goes wrong in any service, grouped, in `channel`: told when it begins, again after `repeat_after`, and when
    it is over.

    `watch`: the side port of each process by the service's name, such as csat: http://csat:9100.
    """

    channel: Channel
    watch: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,40}$")], SideAddress] = Field(
        default_factory=dict
    )
    repeat_after: Duration = timedelta(hours=6)


class NoticesPolicy(Rules):
    """Each is off while it is null. `people`: Slack's id of a person by e-mail, where Slack knows another address."""

    success: SuccessNotice | None = None
    account_manager: AccountManagerNotice = AccountManagerNotice()
    ratings: RatingNotice | None = None
    integrity: IntegrityNotice | None = None
    alerts: AlertNotice | None = None
    people: dict[Address, SlackUser] = Field(default_factory=dict)
