"""Reads tickets and their SLA targets from Zendesk, and the account's business hours (docs/vendors/zendesk.md#sla).

Which road to the targets the account answers is found out once, by a ticket that has some, and remembered in the
database: replicas and restarts do not ask again. A road that closes is forgotten.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select

from notifier.breaches.targets import Reading, Target, metric_word
from notifier.policy.breach_settings import HoursOverride
from notifier.policy.conditions import NO_FORM
from notifier.tables import remembered
from supportops.business_hours import BusinessHours
from supportops.clock import Clock
from supportops.errors import Permanent, Retryable, SupportOpsError, Unreadable
from supportops.observability.logging import get_logger
from supportops.store import Store
from supportops.vendors.zendesk import References, Rows, Ticket, Zendesk
from supportops.vendors.zendesk.sla import RoadClosed, SlaRoad, Targets

log = get_logger("notifier.breaches")

ROAD = "zendesk.sla_road"
HOURS_LIFETIME = timedelta(minutes=15)
HOURS_AGAIN = timedelta(minutes=1)
"""So soon hours that could not be read are asked for again."""
FIRST_PATIENCE, HOURS_PATIENCE = 5.0, 0.5
"""Seconds that somebody waits for hours: nobody knows any yet, or the last ones count on."""
NO_ROAD = (
    "Zendesk shows SLA targets on no road that we know: is there an SLA policy, and does the plan have it?"
)
GONE = "the ticket is gone"
BLIND_FOR = timedelta(seconds=10)
"""After Zendesk did not answer in time nobody asks again for so long: lanes must not wait for it one by one."""


class SlaReader:
    """Reads what rules about breaches look at. Raises what Zendesk's client raises."""

    def __init__(self, zendesk: Zendesk, references: References, store: Store) -> None:
        self._zendesk, self._references, self._store = zendesk, references, store
        self._road: SlaRoad | None = None

    async def read(self, ticket_ids: Sequence[str]) -> Rows[Reading]:
        """A reading of each ticket, by id; one that is gone says so, and one that cannot be read is `unreadable`.

        Permanent when no road leads to its targets.
        """
        tickets = await self._zendesk.tickets(ticket_ids)
        now = self._store.clock.now()
        targets = await self._targets(tickets) if tickets else {}
        readings: Rows[Reading] = Rows()
        for each in ticket_ids:
            try:
                ticket = tickets.get(each)
                of_it = targets.get(each, ())
                gone = Reading(each, now, gone=GONE)
                readings[each] = gone if ticket is None else await self._reading(ticket, of_it, now)
            except Unreadable as error:
                readings.unreadable[each] = error
        return readings

    async def road(self) -> SlaRoad | None:
        """The road that is remembered; None while none has proved itself."""
        if self._road is None:
            query = select(remembered.c.value).where(remembered.c.name == ROAD)
            async with self._store.reading() as conn:
                value = (await conn.execute(query)).scalar()
            self._road = SlaRoad(value) if value in set(SlaRoad) else None
        return self._road

    async def _targets(self, ticket_ids: Iterable[str]) -> Mapping[str, Targets]:
        road = await self.road()
        if road is not None:
            try:
                return await self._zendesk.slas.read(road, ticket_ids)
            except RoadClosed as error:
                log.warning("sla.road_closed", road=road, reason=str(error))
                await self._remember(None)
        found: Rows[Targets] = Rows()
        for ticket_id in ticket_ids:
            try:
                found.add(await self._found_out(ticket_id))
            except Unreadable as error:
                found.unreadable[ticket_id] = error
        return found

    async def _found_out(self, ticket_id: str) -> Rows[Targets]:
        if (road := await self.road()) is not None:  # another ticket has shown it meanwhile
            try:
                return await self._zendesk.slas.read(road, [ticket_id])
            except RoadClosed as error:  # to that other ticket alone
                log.info("sla.road_closed_to_ticket", road=road, ticket_id=ticket_id, reason=str(error))
        probe = await self._zendesk.slas.probe(ticket_id)
        if not probe.answered:
            raise Permanent(NO_ROAD)
        if probe.road is not None:
            log.info("sla.road_found", road=probe.road)
            await self._remember(probe.road)
        found: Rows[Targets] = Rows()
        found[ticket_id] = probe.targets
        return found

    async def _remember(self, road: SlaRoad | None) -> None:
        self._road = road
        async with self._store.transaction() as tx:
            await tx.execute(delete(remembered).where(remembered.c.name == ROAD))
            if road is not None:
                await tx.execute(
                    insert(remembered), {"name": ROAD, "value": road.value, "changed_at": tx.now}
                )

    async def _reading(self, ticket: Ticket, targets: Targets, now: datetime) -> Reading:
        return Reading(
            ticket_id=ticket.id,
            read_at=now,
            status=ticket.status,
            tags=ticket.tags,
            form=await self._form(ticket.form_id),
            priority=ticket.priority or "",
            subject=ticket.subject or "",
            assignee_id=ticket.assignee_id,
            organization_id=ticket.organization_id,
            targets=tuple(Target(metric_word(each.metric), each.stage, each.breach_at) for each in targets),
        )

    async def _form(self, form_id: str | None) -> str:
        """The form's name. One that cannot be named is shown by its id, which no rule that includes forms has."""
        if form_id is None:
            return NO_FORM
        form = await self._references.forms.get(form_id)
        return form.name if form is not None else f"form {form_id}"


class FreshReadings:
    """Readings that may decide about a notice: of the last seconds, or made anew where Zendesk answers at once.

    Where it does not, the last one decides: a notice that may be mistaken is better than one that is late.
    """

    def __init__(self, reader: SlaReader, clock: Clock, *, fresh_for: timedelta, patience: timedelta) -> None:
        self._reader, self._clock = reader, clock
        self._fresh_for, self._patience = fresh_for, patience
        self._blind_until: datetime | None = None

    async def read(self, reading: Reading, watched: Mapping[str, Any] | None) -> tuple[Reading, bool]:
        """The reading that decides, and whether it is an old one because Zendesk did not answer.

        `watched`: the ticket's row; what was heard after a reading makes it an old one.
        """
        now, hint = self._clock.now(), watched["hint_at"] if watched else None
        if now - reading.read_at <= self._fresh_for and (hint is None or hint <= reading.read_at):
            return reading, False
        if self._blind_until is not None and now < self._blind_until:
            return reading, True
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                return (await self._reader.read([reading.ticket_id]))[reading.ticket_id], False
        except (TimeoutError, SupportOpsError) as error:
            words = str(error) or "no answer"
            log.warning("breach.not_read_afresh", ticket_id=reading.ticket_id, reason=words)
            if not isinstance(error, Permanent):  # which is about this ticket: the others are read
                self._blind_until = self._clock.now() + BLIND_FOR
            return reading, True


@dataclass
class AccountHours:
    """The business hours in which leads are counted: the rules' own, else those of the account's schedule.

    Kept for a while; when Zendesk cannot be asked, or does not answer at once, the last ones count on: notices that are
    due wait for nobody. None: there are none.
    """

    zendesk: Zendesk
    wanted: str | HoursOverride | None
    _hours: BusinessHours | None = None
    _believed_until: datetime | None = None
    _unread: str | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def current(self, now: datetime) -> BusinessHours | None:
        """The hours as of now."""
        if isinstance(self.wanted, HoursOverride):
            return self.wanted.hours()
        if self._is_fresh(now) or (self._believed_until is not None and self._asking.locked()):
            return self._hours
        async with self._asking:
            if not self._is_fresh(now):
                await self._renew(now)
        return self._hours

    def _is_fresh(self, now: datetime) -> bool:
        return self._believed_until is not None and now < self._believed_until

    async def sure(self, now: datetime) -> BusinessHours | None:
        """The same for what can wait. Retryable while Zendesk has not told them once."""
        hours = await self.current(now)
        if self._unread is not None:
            raise Retryable(f"zendesk: business hours are not known yet: {self._unread}")
        return hours

    async def _renew(self, now: datetime) -> None:
        never = self._believed_until is None or self._unread is not None
        try:
            async with asyncio.timeout(FIRST_PATIENCE if never else HOURS_PATIENCE):
                self._hours = await self.found()
        except (TimeoutError, SupportOpsError) as error:
            words = str(error) or "no answer"
            log.warning("business_hours.not_read", reason=words)
            self._unread = words if never and not isinstance(error, Permanent) else None
            self._believed_until = now + HOURS_AGAIN
        else:
            self._unread, self._believed_until = None, now + HOURS_LIFETIME

    async def asked(self) -> BusinessHours | None:
        """The hours, asked for now; raises what went wrong."""
        return self.wanted.hours() if isinstance(self.wanted, HoursOverride) else await self.found()

    async def found(self) -> BusinessHours | None:
        """The account's schedule of that name, or its first. Permanent when there is none of that name."""
        schedules = await self.zendesk.schedules.all()
        named = [each for each in schedules if self.wanted in (None, each.name)]
        if not named and self.wanted is not None:
            raise Permanent(
                f"the account has no schedule {self.wanted!r}, only: {[each.name for each in schedules]}"
            )
        return await self.zendesk.schedules.hours(named[0]) if named else None
