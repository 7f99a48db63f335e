"""The part of Zendesk that asking needs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from supportops.vendors.zendesk import Audit, Comment, NewComment, Organization, Ticket, User


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
