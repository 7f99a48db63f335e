"""`zendesk.sharing_check`: reads what a request rests on and what it would change, for whoever approves it."""

from collections.abc import Sequence

import orjson

from sfdc_sync.destinations import SHARING_CHECK
from sfdc_sync.sharing import repository
from sfdc_sync.sharing.examination import MOST_TIME, Examined, Examiner
from sfdc_sync.sharing.repository import WORKER
from sfdc_sync.sharing.rules.lifecycle import Action, Request, State
from supportops.delivery import Cancel, Delivery, DestinationSpec, Done, Outcome
from supportops.delivery.pausing import quota_pauses_all
from supportops.store import Store, Transaction

WAITING = frozenset({State.CHECKING, State.ASKED})


class CheckRequests:
    """Refuses a request with every reason, or says what an approval would do. Writes nothing outside."""

    def __init__(self, store: Store, examiner: Examiner) -> None:
        self.spec = DestinationSpec(SHARING_CHECK, concurrency=2, timeout=MOST_TIME, idempotent=True)
        self._store, self._examiner = store, examiner

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome | BaseException]:
        """One outcome per request."""
        return [await self._check(int(delivery.payload["request"])) for delivery in deliveries]

    async def _check(self, number: int) -> Outcome:
        async with self._store.reading() as conn:
            stored = await repository.find(conn, number)
        if stored is None or stored.request.state not in WAITING:
            return Cancel(f"request {number} does not wait for an approval any more")
        with quota_pauses_all():
            examined = await self._examiner.examine(stored.request)
        result = {"objections": len(examined.objections), "changes": len(examined.changes)}
        return Done(result, lambda tx: self._note(tx, stored.request, examined))

    async def _note(self, tx: Transaction, request: Request, examined: Examined) -> None:
        stored = await repository.locked(tx, request.number)
        if stored.request.state not in WAITING:
            return
        await note(tx, stored, examined, Action.CHECK)


async def note(tx: Transaction, stored: repository.Stored, examined: Examined, action: Action) -> None:
    """Write down what was found: a refusal with its reasons, or what is to be approved (by `action`)."""
    situation = examined.situation
    name = situation.name if situation is not None else stored.organization
    if examined.objections:
        reason = "; ".join(examined.objections)[:4_000]
        columns = {"organization": name, "reason": reason, "decided_by": WORKER.name, "decided_at": tx.now}
        await repository.move(tx, stored, Action.REFUSE, WORKER, {"reason": reason}, **columns)
        return
    seen = examined.seen
    columns = {
        "organization": name,
        "seen": seen,
        "changes": repository.changes_text(examined.changes),
        "read_at": tx.now,
        "selected": orjson.dumps(examined.selected).decode(),
        "decided_by": None,
        "decided_at": None,
    }
    if seen == stored.request.seen and stored.request.state is State.ASKED:
        await repository.remember(tx, stored.request.number, **columns)
        return
    opened = sorted(f"{each.user_id}@{each.organization_id}" for each in examined.changes if each.opens)
    details = {"seen": seen, "opens": opened[:200], "opened": len(opened)}
    await repository.move(tx, stored, action, WORKER, details, **columns)
