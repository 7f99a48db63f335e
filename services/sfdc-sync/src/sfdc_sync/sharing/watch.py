"""What happens to a request with time: joiners and leavers, changes by hand, an approval that never comes."""

from datetime import timedelta

from sfdc_sync.policy.sharing import SharingPolicy
from sfdc_sync.sharing import audit_log, repository, requests
from sfdc_sync.sharing.reading import SharingReader
from sfdc_sync.sharing.repository import WORKER, Stored
from sfdc_sync.sharing.rules.access import Situation
from sfdc_sync.sharing.rules.following import Followed, followed, unfollowed
from sfdc_sync.sharing.rules.lifecycle import OPEN, Action, State, is_over
from sfdc_sync.sharing.rules.options import SharingState
from sfdc_sync.sharing.rules.plan import Difference, drift, not_kept
from sfdc_sync.sharing.writing import MOST_WRITES, SharingWriter
from supportops.delivery import Cancel, Discard, Done, Outcome, Snooze
from supportops.observability.logging import get_logger
from supportops.store import Store, Transaction
from supportops.workers.periodic import Periodic

log = get_logger("sfdc_sync.sharing")

NAMED = 200  # people that one audit entry names
AT_ONCE = 200  # open requests that are looked at in one run


class SharingWatch:
    """Compares one request in force with Zendesk, and brings joiners and leavers into line where the policy says so."""

    def __init__(
        self, store: Store, reader: SharingReader, writer: SharingWriter, policy: SharingPolicy
    ) -> None:
        self._store, self._reader, self._writer, self._policy = store, reader, writer, policy

    async def compare(self, stored: Stored) -> Outcome:
        """One outcome for the delivery; what is found is kept until the next comparison."""
        request, before, target = stored.request, stored.before, stored.target
        if request.state is not State.APPLIED or before is None or target is None:
            return Cancel(f"request {request.number} is {request.state}")
        situation, found = await self._looked(stored, target)
        if not self._policy.follow_membership:
            found += unfollowed(target, situation)
            return Done({"drift": len(found)}, lambda tx: self._note(tx, stored, found))
        left = sorted(target.members.keys() - situation.state.members.keys())
        levels = await self._reader.levels(left) if left else {}
        async with self._store.reading() as conn:
            elsewhere = await repository.given_elsewhere(conn, request.organization_id)
        steps = followed(request.option, before, target, situation, levels, elsewhere)
        if not await self._remember_joiners(stored, steps):
            return Cancel(f"request {request.number} is not in force any more")
        some = dict(list(steps.levels.items())[:MOST_WRITES])
        await self._writer.restrict(some)
        if ignored := await self._reader.ignored(some):
            return Discard(not_kept(ignored), lambda tx: self._note(tx, stored, found + ignored))
        if len(steps.levels) > MOST_WRITES:
            return Snooze(timedelta(0), "some joiners and leavers are brought into line, the rest follows")
        result = {"drift": len(found), "joined": len(steps.joined), "left": len(steps.left)}

        async def then(tx: Transaction) -> None:
            await self._note(tx, stored, found)
            await self._follow(tx, stored, steps)

        return Done(result, then)

    async def _looked(self, stored: Stored, target: SharingState) -> tuple[Situation, list[Difference]]:
        """Zendesk as it is, and what is not as it was set.

        An organization that is gone has nobody: who was in it has left, a merge takes people and their level along.
        """
        key = stored.request.organization_id
        reading = await self._reader.organization(key)
        if reading is not None:
            return reading.situation, drift(target, reading.situation.state, key)
        gone = [Difference(key, "organization", "there", "gone")]
        return Situation(key, stored.organization, target.organization, ()), gone

    async def _remember_joiners(self, stored: Stored, steps: Followed) -> bool:
        """Write down what is before, for those who have come; False: nothing may be written."""
        async with self._store.transaction() as tx:
            fresh = await repository.locked(tx, stored.request.number)
            if fresh.request.state is not State.APPLIED or fresh.before is None:
                return False
            came = {user_id: steps.before.members[user_id] for user_id in steps.joined}
            kept = SharingState(fresh.before.organization, {**came, **fresh.before.members})
            await repository.remember(tx, fresh.request.number, before=repository.state_text(kept))
        return True

    async def _note(self, tx: Transaction, stored: Stored, found: list[Difference]) -> None:
        fresh = await repository.locked(tx, stored.request.number)
        if fresh.request.state is not State.APPLIED:
            return
        for each in await repository.record_drift(tx, stored.request.number, found):
            log.warning(
                "sharing.drift",
                request=stored.request.number,
                subject=each.subject,
                field=each.field,
                wanted=each.wanted,
                found=each.found,
            )

    async def _follow(self, tx: Transaction, stored: Stored, steps: Followed) -> None:
        fresh = await repository.locked(tx, stored.request.number)
        if fresh.request.state is not State.APPLIED or not (steps.joined or steps.left):
            return
        details = {
            "joined": steps.joined[:NAMED],
            "left": steps.left[:NAMED],
            "changed": sorted(steps.levels)[:NAMED],
        }
        await repository.remember(
            tx,
            stored.request.number,
            target=repository.state_text(steps.target),
            before=repository.state_text(steps.before),
        )
        await audit_log.append(tx, stored.request.number, "followed", WORKER.name, WORKER.via, details)


def watching(store: Store, policy: SharingPolicy) -> Periodic:
    """The periodic job: ends requests that nobody answers, has open ones read again and those in force compared,
    forgets names in time.
    """

    async def look() -> None:
        async with store.reading() as conn:
            waiting = await repository.listed(conn, OPEN, limit=AT_ONCE)
            in_force = await repository.newest_in_force(conn)
        for stored in waiting:
            async with store.transaction() as tx:
                await _look_at(tx, stored.request.number, policy)
        for organization_id, number in sorted(in_force.items()):
            async with store.transaction() as tx:
                requests.watch(tx, number, organization_id)
        async with store.transaction() as tx:
            await repository.forget_names(tx, policy.keep_names)

    return Periodic("sharing", store, look, policy.watch_every)


async def _look_at(tx: Transaction, number: int, policy: SharingPolicy) -> None:
    stored = await repository.locked(tx, number)
    if is_over(stored.request, tx.now, policy.patience):
        reason = "nobody has answered in time"
        await repository.move(tx, stored, Action.EXPIRE, WORKER, {"reason": reason}, reason=reason)
    elif stored.request.state in (State.ASKED, State.CHECKING):
        requests.read_again(tx, number)  # also where the first reading was given up
