"""`zendesk.sharing`: sets the full state of an approved request, undoes it, or compares what was set with what is.

What was before is written down before the first write, and a repeat overwrites nothing of it. What takes away is
written before what opens (`rules/plan.py`), so a run that ends anywhere has opened nothing that neither was open nor is
to be; the next one goes on from what it reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

from sfdc_sync.destinations import SHARING, SHARING_COMMENT
from sfdc_sync.sharing import repository
from sfdc_sync.sharing.check import note
from sfdc_sync.sharing.examination import MOST_TIME, Examined, Examiner
from sfdc_sync.sharing.reading import SharingReader
from sfdc_sync.sharing.repository import WORKER, Stored
from sfdc_sync.sharing.rules.access import Situation, beyond
from sfdc_sync.sharing.rules.lifecycle import Action, State
from sfdc_sync.sharing.rules.options import ORGANIZATION, REQUESTED, SharingState
from sfdc_sync.sharing.rules.plan import Difference, drift, not_kept, undone
from sfdc_sync.sharing.watch import SharingWatch
from sfdc_sync.sharing.writing import MOST_WRITES, SharingWriter
from supportops.delivery import Cancel, Delivery, DestinationSpec, Discard, Done, Outcome, Snooze
from supportops.delivery.pausing import quota_pauses_all
from supportops.errors import Permanent
from supportops.observability.logging import get_logger
from supportops.store import Store, Transaction

log = get_logger("sfdc_sync.sharing")

SHOWN = 200  # people or differences that one audit entry names
GOES_ON = Snooze(timedelta(0), "some people are written, the rest follows")


class ApplySharing:
    """The one hand that changes who sees what."""

    def __init__(
        self,
        store: Store,
        reader: SharingReader,
        examiner: Examiner,
        writer: SharingWriter,
        watch: SharingWatch,
    ) -> None:
        self.spec = DestinationSpec(SHARING, concurrency=2, timeout=MOST_TIME, idempotent=True)
        self._store, self._reader, self._examiner = store, reader, examiner
        self._writer, self._watch = writer, watch
        self._ways = {"apply": self._apply, "undo": self._undo, "watch": watch.compare}

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome | BaseException]:
        """One outcome per delivery."""
        return [await self._deliver(delivery.payload) for delivery in deliveries]

    async def _deliver(self, payload: Mapping[str, Any]) -> Outcome:
        number, what = int(payload["request"]), str(payload["do"])
        async with self._store.reading() as conn:
            stored = await repository.find(conn, number)
            newest = await repository.newest_in_force(conn)
        if stored is None:
            return Cancel(f"request {number} is gone")
        if newest.get(stored.request.organization_id, 0) > number:
            return Cancel(f"a later request of organization {stored.request.organization_id} is in force")
        try:
            with quota_pauses_all():
                return await self._ways[what](stored)
        except Permanent as error:
            return _failed(stored, str(error))

    async def _apply(self, stored: Stored) -> Outcome:
        request = stored.request
        if request.state not in (State.APPROVED, State.FAILED):
            return Cancel(f"request {request.number} is {request.state}")
        begun = stored.before is not None
        examined = await (self._examiner.resume(request) if begun else self._examiner.examine(request))
        situation, target = examined.situation, examined.target
        if not begun and (examined.objections or beyond(stored.changes, examined.changes)):
            return Cancel(
                "what it rests on is not any more what was approved",
                lambda tx: _look_again(tx, stored, examined),
            )
        if situation is None or target is None:
            return _failed(stored, examined.objections[0])
        if not await self._begin(stored, situation.state, target):
            return Cancel(f"request {request.number} was refused meanwhile")
        if (unfinished := await self._reach(stored, target, situation.state)) is not None:
            return unfinished
        wrong = await self._not_kept(request.organization_id, target)
        if wrong:
            return _failed(stored, not_kept(wrong))
        return Done({"people": len(target.members)}, lambda tx: _applied(tx, stored, situation, target))

    async def _reach(self, stored: Stored, target: SharingState, now: SharingState) -> Outcome | None:
        """Write the difference; None: that was all of it. What goes on is read back first, else it might for ever."""
        written = await self._writer.reach(stored.request.organization_id, target, now)
        if written is None:
            return None
        wrong = await self._reader.ignored(written)
        return _failed(stored, not_kept(wrong)) if wrong else GOES_ON

    async def _begin(self, stored: Stored, now: SharingState, target: SharingState) -> bool:
        """Write down what is before, for those of whom that is not known yet; False: nothing may be written."""
        async with self._store.transaction() as tx:
            fresh = await repository.locked(tx, stored.request.number)
            if fresh.request.state not in (State.APPROVED, State.FAILED):
                return False
            before = fresh.before or now
            kept = replace(before, members={**now.members, **before.members})
            await repository.remember(
                tx,
                fresh.request.number,
                before=repository.state_text(kept),
                target=repository.state_text(target),
            )
        return True

    async def _undo(self, stored: Stored) -> Outcome:
        request, before, applied = stored.request, stored.before, stored.target
        if request.state not in (State.UNDOING, State.FAILED) or before is None or applied is None:
            return Cancel(f"request {request.number} is {request.state}")
        reading = await self._reader.organization(request.organization_id)
        if reading is None:
            return await self._undo_for_people(stored, applied)
        now, left = await self._with_leavers(applied, reading.situation)
        back, left_alone = undone(before, applied, now, left)
        async with self._store.reading() as conn:
            elsewhere = await repository.given_elsewhere(conn, request.organization_id)
        members = {
            user_id: level
            for user_id, level in back.members.items()
            if level != REQUESTED or user_id not in elsewhere
        }
        back = replace(back, members=members)
        if (unfinished := await self._reach(stored, back, now)) is not None:
            return unfinished
        wrong = await self._not_kept(request.organization_id, back)
        if wrong:
            return _failed(stored, not_kept(wrong))
        return Done({"left_alone": len(left_alone)}, lambda tx: _undone(tx, stored, back, left_alone))

    async def _undo_for_people(self, stored: Stored, applied: SharingState) -> Outcome:
        """The organization is gone, its people are not: who still has the level that the option gave them loses it."""
        key = stored.request.organization_id
        async with self._store.reading() as conn:
            elsewhere = await repository.given_elsewhere(conn, key)
        given = sorted(
            user_id
            for user_id, level in applied.members.items()
            if level == ORGANIZATION and user_id not in elsewhere
        )
        levels = await self._reader.levels(given) if given else {}
        still_open = [user_id for user_id, level in levels.items() if level == ORGANIZATION]
        some = dict.fromkeys(still_open[:MOST_WRITES], REQUESTED)
        await self._writer.restrict(some)
        if wrong := await self._reader.ignored(some):
            return _failed(stored, not_kept(wrong))
        if len(some) < len(still_open):
            return GOES_ON
        back = SharingState(applied.organization, dict.fromkeys(given, REQUESTED))
        gone = [Difference("", "organization", "there", "gone")]
        return Done({"left_alone": 1}, lambda tx: _undone(tx, stored, back, gone))

    async def _with_leavers(
        self, applied: SharingState, situation: Situation
    ) -> tuple[SharingState, set[str]]:
        """The state of now, with the levels of those who have left since."""
        left = applied.members.keys() - situation.state.members.keys()
        levels = await self._reader.levels(sorted(left)) if left else {}
        return SharingState(situation.sharing, {**situation.state.members, **levels}), set(left)

    async def _not_kept(self, organization_id: str, target: SharingState) -> list[Difference]:
        """What Zendesk does not show after it took it: a right that is missing may make it drop a key in silence."""
        reading = await self._reader.organization(organization_id)
        if reading is None:
            return [Difference(organization_id, "organization", "there", "gone")]
        now, _ = await self._with_leavers(target, reading.situation)
        return drift(target, now, organization_id)


def _failed(stored: Stored, reason: str) -> Discard:
    async def then(tx: Transaction) -> None:
        fresh = await repository.locked(tx, stored.request.number)
        if fresh.request.state in (State.APPROVED, State.UNDOING, State.FAILED):
            await repository.move(tx, fresh, Action.FAIL, WORKER, {"reason": reason}, reason=reason)

    log.error("sharing.failed", request=stored.request.number, reason=reason)
    return Discard(reason, then)


async def _look_again(tx: Transaction, stored: Stored, examined: Examined) -> None:
    fresh = await repository.locked(tx, stored.request.number)
    if fresh.request.state is State.APPROVED:
        await note(tx, fresh, examined, Action.LOOK_AGAIN)


async def _applied(tx: Transaction, stored: Stored, was: Situation, target: SharingState) -> None:
    fresh = await repository.locked(tx, stored.request.number)
    before = fresh.before or was.state
    written = sorted(u for u, level in target.members.items() if before.members.get(u) != level)
    details = {
        "organization": {"before": asdict(before.organization), "after": asdict(target.organization)},
        "changed": written[:SHOWN],
        "people": len(target.members),
    }
    await repository.move(tx, fresh, Action.APPLY, WORKER, details, applied_at=tx.now, reason="")
    _tell(tx, stored, {"what": "applied"})


async def _undone(
    tx: Transaction, stored: Stored, back: SharingState, left_alone: Sequence[Difference]
) -> None:
    fresh = await repository.locked(tx, stored.request.number)
    details = {
        "organization": asdict(back.organization),
        "changed": sorted(back.members)[:SHOWN],
        "left_alone": [asdict(each) for each in left_alone[:SHOWN]],
    }
    await repository.move(tx, fresh, Action.UNDONE, WORKER, details)
    await repository.record_drift(tx, stored.request.number, [])
    _tell(tx, stored, {"what": "undone", "in_part": bool(left_alone)})


def _tell(tx: Transaction, stored: Stored, what: Mapping[str, Any]) -> None:
    number, ticket_id = stored.request.number, stored.request.ticket_id
    payload = {"request": number, **what}
    tx.deliveries.schedule(SHARING_COMMENT, f"{number}:{what['what']}", lane=ticket_id, payload=payload)
