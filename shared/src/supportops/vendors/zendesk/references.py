"""Names that events do not carry, read when a delivery is executed and remembered for a while."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from supportops.clock import Clock
from supportops.observability.metrics import Recorder
from supportops.vendors.cache import Lifetime, ReferenceCache
from supportops.vendors.zendesk.client import Zendesk
from supportops.vendors.zendesk.models import Named, Organization, User


class References:
    """Organizations, users, forms, groups and brands of one account, each in its own cache.

    Forms, groups and brands are few and are read as a whole list; a lookup of any of them refreshes all.
    """

    def __init__(
        self, zendesk: Zendesk, *, clock: Clock, metrics: Recorder, lifetime: Lifetime | None = None
    ) -> None:
        self.organizations: ReferenceCache[Organization] = ReferenceCache(
            "organizations", zendesk.organizations, clock=clock, metrics=metrics, lifetime=lifetime
        )
        self.users: ReferenceCache[User] = ReferenceCache(
            "users", zendesk.users, clock=clock, metrics=metrics, lifetime=lifetime
        )
        self.forms: ReferenceCache[Named] = ReferenceCache(
            "forms", _from_list(zendesk.ticket_forms), clock=clock, metrics=metrics, lifetime=lifetime
        )
        self.groups: ReferenceCache[Named] = ReferenceCache(
            "groups", _from_list(zendesk.groups), clock=clock, metrics=metrics, lifetime=lifetime
        )
        self.brands: ReferenceCache[Named] = ReferenceCache(
            "brands", _from_list(zendesk.brands), clock=clock, metrics=metrics, lifetime=lifetime
        )


def _from_list(
    read: Callable[[], Awaitable[Mapping[str, Named]]],
) -> Callable[[Sequence[str]], Awaitable[Mapping[str, Named]]]:
    async def read_many(_keys: Sequence[str]) -> Mapping[str, Named]:
        return await read()

    return read_many
