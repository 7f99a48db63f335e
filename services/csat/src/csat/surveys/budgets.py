"""How csat's calls to Zendesk wait, try again and share the account's limits."""

from dataclasses import replace
from datetime import timedelta
from math import ceil

from csat.policy.csat import CsatPolicy
from supportops.delivery import Budget, Rate

BATCH = 20  # tickets that are read in one call when many are due at once


def updates_budget(policy: CsatPolicy) -> Budget | None:
    """The account's limit of ticket updates, shared by all that csat writes; None: lifted.

    See docs/vendors/zendesk.md#rest.
    """
    if policy.ticket_updates_per_minute is None:
        return None
    return Budget("zendesk.ticket_updates", Rate(policy.ticket_updates_per_minute, timedelta(minutes=1)))


def surveys_budget(policy: CsatPolicy) -> Budget | None:
    """How fast requesters are asked: within the account's limit, or at a slower pace of our own.

    A slower pace is a higher price: each survey then costs as many updates of the shared limit as pass in its time,
    its tag's own one left out. So one budget is kept, and other updates find their place between surveys.
    """
    limit, pace = updates_budget(policy), policy.surveys_per_minute
    if pace is None:
        return limit
    if limit is None:
        return Budget("csat.surveys", Rate(pace, timedelta(minutes=1)))
    of_the_tag = 0 if policy.ask_by == "native" else limit.cost
    return replace(limit, cost=max(limit.cost, ceil(limit.rate.count / pace) - of_the_tag))
