"""What operators see of the spool: a probe that names damaged segments, and the list of all there are."""

import asyncio
from typing import Any

from ingest.webhooks.spool import Spool
from supportops.observability.health import ProbeResult

NAMED = 3


class SpoolProbe:
    """Names the segments that were set aside. Always content: not ready would turn webhooks away, and mend nothing."""

    name = "spool"

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    async def __call__(self) -> ProbeResult:
        aside = await asyncio.to_thread(self._spool.aside)
        if not aside:
            return ProbeResult(self.name, ok=True, detail="no damage")
        names = ", ".join(path.name for path in aside[:NAMED])
        more = f" and {len(aside) - NAMED} more" if len(aside) > NAMED else ""
        return ProbeResult(self.name, ok=True, detail=f"damaged segments wait for people: {names}{more}")


def listed(spool: Spool) -> list[dict[str, Any]]:
    """Every segment, oldest first: those that wait for the database, and those set aside with damage."""
    found = [("waiting", path) for path in spool.segments()] + [("damaged", path) for path in spool.aside()]
    return [
        {"segment": path.name, "state": state, "bytes": path.stat().st_size}
        for state, path in sorted(found, key=lambda each: each[1].name)
    ]
