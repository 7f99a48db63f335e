"""The part of Zendesk that asking needs."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from supportops.delivery.pausing import quota_pauses_all
from supportops.errors import Permanent
from supportops.observability.log_limit import LimitedWarnings
from supportops.observability.logging import get_logger
from supportops.vendors.zendesk import Audit, Comment, NewComment, Organization, Ticket, User

sparse = LimitedWarnings(get_logger("csat.surveys"))


class Helpdesk(Protocol):
    """The part of Zendesk that csat needs; `supportops.vendors.zendesk.Zendesk` is one."""

    async def ticket(self, ticket_id: str) -> Ticket | None: ...
    async def tickets(self, ticket_ids: Iterable[str]) -> Mapping[str, Ticket]: ...
    async def users(self, user_ids: Iterable[str]) -> Mapping[str, User]: ...
    async def latest_comments(self, ticket_id: str) -> list[Comment]: ...
    async def audits(self, ticket_id: str) -> list[Audit]: ...
    async def update_ticket(
        self, ticket_id: str, *, updated_stamp: datetime, comment: NewComment | None = None
    ) -> None: ...
    async def add_tags(
        self, ticket_id: str, tags: Sequence[str], *, updated_stamp: datetime | None = None
    ) -> None: ...
    async def remove_tags(
        self, ticket_id: str, tags: Sequence[str], *, updated_stamp: datetime | None = None
    ) -> None: ...


class Organizations(Protocol):
    """Organizations by id, with a lifetime."""

    async def get(self, key: str) -> Organization | None: ...


async def read_together(
    read: Callable[[Iterable[str]], Awaitable[Mapping[str, Ticket]]], ticket_ids: Sequence[str]
) -> Mapping[str, Ticket]:
    """Tickets by one call; none where it is refused as a whole: each is then to be asked for by itself.

    Zendesk does not say whose trouble it is, so it must not be everybody's.
    """
    try:
        with quota_pauses_all():
            return await read(ticket_ids)
    except Permanent as error:
        sparse.warning("tickets.refused_together", "tickets", tickets=len(ticket_ids), reason=str(error))
        return {}
