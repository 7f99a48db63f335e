"""How csat's calls to Zendesk wait, try again and share the account's limits."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from math import ceil

from csat.settings import CsatRules
from supportops.delivery import Budget, Outcome, Rate
from supportops.errors import DestinationPaused, Retryable, UnknownOutcome
from supportops.observability.logging import get_logger
from supportops.vendors.http_client import Conflict

log = get_logger("csat.surveys")

BATCH = 20  # tickets that are read in one call when many are due at once
TRIES = 3  # of one attempt, while the ticket changes under our hands


def updates_budget(policy: CsatRules) -> Budget | None:
    """The account's limit of ticket updates, shared by all that csat writes (zendesk.md 4.1); None: lifted."""
    if policy.ticket_updates_per_minute is None:
        return None
    return Budget("zendesk.ticket_updates", Rate(policy.ticket_updates_per_minute, timedelta(minutes=1)))


def surveys_budget(policy: CsatRules) -> Budget | None:
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


async def while_it_moves(once: Callable[[], Awaitable[Outcome]], *moved: type[Exception]) -> Outcome:
    """Read and decide again, a few times, while the ticket changes between our reading and our writing."""
    for attempt in range(1, TRIES):
        try:
            with quota_pauses_all():
                return await once()
        except moved as error:
            log.info("ticket.moved", attempt=attempt, error=str(error))
    with quota_pauses_all():
        return await once()


@contextmanager
def quota_pauses_all() -> Iterator[None]:
    """A wait that Zendesk (or our share of its calls) asks for is everybody's, and nobody's failed attempt."""
    try:
        yield
    except (Conflict, UnknownOutcome, DestinationPaused):
        raise
    except Retryable as error:
        if error.after is None:
            raise
        raise DestinationPaused(str(error), error.after) from error
