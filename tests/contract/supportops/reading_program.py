"""A process with a Zendesk client of its own, which reads one ticket again and again: `reading_program TICKET`."""

import asyncio
import sys

from supportops.clock import SystemClock
from supportops.config import ZendeskSettings
from supportops.observability.metrics import Metrics
from supportops.vendors.zendesk import open_zendesk


async def main(ticket_id: str) -> None:
    """Twenty times, by one token."""
    async with open_zendesk(ZendeskSettings(), ["read"], clock=SystemClock(), metrics=Metrics()) as zendesk:
        for _ in range(20):
            assert await zendesk.ticket(ticket_id) is not None


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
