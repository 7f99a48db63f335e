"""How a destination waits and reads again: a wait that a vendor asks for is everybody's."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from supportops.delivery import Cancel, Outcome
from supportops.errors import Conflict, DestinationPaused, NotFound, Retryable, UnknownOutcome
from supportops.observability.logging import get_logger
from supportops.vendors.zendesk import Refused

log = get_logger("supportops.delivery.pausing")
TRIES = 3  # of one attempt, while the ticket changes under our hands


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


async def while_it_can_be_tagged(once: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """What `once` makes of a ticket's tags, read again while it moves; nothing is to be done to one gone or closed."""
    try:
        return await while_it_moves(once, Conflict)
    except NotFound:
        return Cancel("the ticket is gone")
    except Refused as error:
        if error.closed:
            return Cancel("the ticket is closed: its tags cannot be changed any more")
        raise


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
