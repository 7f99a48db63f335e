"""`salesforce.integrity`: the reports of a day, as a delivery that falls due (docs/rules.md S9).

One row per day (`organizations.integrity.every`), by the moment at which that day begins: however many replicas ask for
it, it is there once, and it waits while nobody runs. What was found, and the event that tells of it, are kept in the
transaction that says the delivery is done, so a run that dies has told nobody, and is done anew.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sfdc_sync.destinations import INTEGRITY
from sfdc_sync.integrity.checks import Integrity
from sfdc_sync.policy.organizations import OrganizationsPolicy
from supportops.delivery import Cancel, Delivery, DestinationSpec, Done, Outcome, Snooze
from supportops.store import Store, Transaction
from supportops.workers import Busy, Periodic

MOST_TIME = timedelta(minutes=15)
ANOTHER_RUN = timedelta(minutes=1)
"""How long a run of accounts to organizations is waited for before the next look."""
LOOK_EVERY = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DailyCheck:
    """The destination: one day's run of the reports."""

    def __init__(self, check: Integrity, policy: OrganizationsPolicy) -> None:
        self.spec = DestinationSpec(INTEGRITY, concurrency=1, timeout=MOST_TIME, idempotent=True)
        self._check, self._policy = check, policy

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        """One outcome per day. What cannot be read is raised: the schedule of repeats, a pause, or a dead delivery."""
        return [await self._run(delivery) for delivery in deliveries]

    async def _run(self, delivery: Delivery) -> Outcome:
        if not self._policy.enabled:
            return Cancel("organizations.enabled is off")
        today = begin_of(self._check.store.clock.now(), self._policy.integrity.every)
        if delivery.payload["day"] != today.isoformat():
            return Cancel("another day has begun since: its own delivery judges the same")
        try:
            judgement = await self._check.judge()
        except Busy as error:
            return Snooze(ANOTHER_RUN, str(error))

        async def then(tx: Transaction) -> None:
            await self._check.keep(tx, judgement)

        found = sum(1 for each in judgement.found if each.ignored is None)
        return Done({"run_id": judgement.run_id, "findings": found}, then)


def begin_of(moment: datetime, every: timedelta) -> datetime:
    """When the day (of the length `every`) began that `moment` lies in; days are counted from 1970 on, in UTC."""
    return moment - (moment - _EPOCH) % every


def schedule_days(tx: Transaction, every: timedelta) -> None:
    """This day's delivery and the next one's, where they are not there yet."""
    today = begin_of(tx.now, every)
    for day in (today, today + every):
        tx.deliveries.schedule(
            INTEGRITY, day.isoformat(), lane="integrity", payload={"day": day.isoformat()}, due_at=day
        )


def days(store: Store, policy: OrganizationsPolicy) -> Periodic:
    """Sees to it that the next day's delivery waits, long before it is due."""
    every = policy.integrity.every

    async def look() -> None:
        async with store.transaction() as tx:
            schedule_days(tx, every)

    return Periodic("organizations.integrity", store, look, min(every, LOOK_EVERY))
