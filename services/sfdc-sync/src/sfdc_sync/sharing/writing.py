"""Writes to Zendesk, in the order of a plan, and reads back what became of them."""

from collections.abc import Mapping

from sfdc_sync.sharing.rules.options import SharingState
from sfdc_sync.sharing.rules.plan import steps_to
from supportops.errors import NotFound
from supportops.vendors.zendesk import Zendesk

MOST_WRITES = 50
"""Users written in one call of the courier; the rest follows in the next, and no attempt is used up."""


class SharingWriter:
    """Brings an organization and its members to a state; what is right already costs no call."""

    def __init__(self, zendesk: Zendesk) -> None:
        self._sharing = zendesk.sharing

    async def reach(
        self, organization_id: str, target: SharingState, now: SharingState
    ) -> dict[str, str] | None:
        """Write the difference, at most `MOST_WRITES` users: those, where more are left; None: that was all of it."""
        written: dict[str, str] = {}
        for step in steps_to(target, now):
            if step.organization is not None:
                wanted = step.organization
                await self._sharing.share(organization_id, tickets=wanted.tickets, comments=wanted.comments)
            some = dict(list(step.members.items())[: MOST_WRITES - len(written)])
            await self.restrict(some)
            written |= some
            if len(some) < len(step.members):
                return written
        return None

    async def restrict(self, levels: Mapping[str, str]) -> None:
        """Set the level of each user; one who is gone needs none."""
        for user_id, level in levels.items():
            try:
                await self._sharing.restrict(user_id, level)
            except NotFound:
                continue
