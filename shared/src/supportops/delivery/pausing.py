"""How a destination waits and reads again: a wait that a vendor asks for is everybody's."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from supportops.delivery import Outcome
from supportops.errors import Conflict, DestinationPaused, Retryable, UnknownOutcome
from supportops.observability.logging import get_logger

log = get_logger("csat.surveys")
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
