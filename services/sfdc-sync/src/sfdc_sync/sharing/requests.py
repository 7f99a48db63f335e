"""What people do with requests: ask, approve, refuse, undo. What Zendesk has to do with it, the worker does."""

from sfdc_sync.destinations import SHARING, SHARING_CHECK
from sfdc_sync.sharing import audit_log, repository
from sfdc_sync.sharing.repository import Actor, Stored
from sfdc_sync.sharing.rules import lifecycle
from sfdc_sync.sharing.rules.lifecycle import Action, NotAllowed, State
from sfdc_sync.sharing.rules.template import Draft
from supportops.store import Transaction

LONGEST_NAME, LONGEST_REASON = 100, 2_000


async def ask(tx: Transaction, draft: Draft, by: Actor, source: str = "") -> int:
    """Ask for an option; the number of the request. The worker reads next what it rests on. NotAllowed."""
    _demand(by)
    number = await repository.add(tx, draft, by, source)
    details = {
        "organization": draft.organization_id,
        "ticket": draft.ticket_id,
        "option": draft.option,
        "selected": len(draft.selected),
        "source": source,
    }
    entry = await audit_log.append(tx, number, Action.ASK, by.name, by.via, details)
    _read(tx, number, entry)
    return number


async def look_again(tx: Transaction, number: int, by: Actor) -> Stored:
    """Have a request that waits for its approval read once more. NotAllowed."""
    _demand(by)
    stored = await repository.locked(tx, number)
    if stored.request.state not in (State.ASKED, State.CHECKING):
        raise NotAllowed(f"request {number} is {stored.request.state}: there is nothing to approve any more")
    _read(tx, number, int(tx.now.timestamp()))
    return stored


async def approve(tx: Transaction, number: int, by: Actor, seen: str | None = None) -> Stored:
    """A second person says yes to what they were shown (`seen`; None: to what was read last). NotAllowed."""
    _demand(by)
    stored = await repository.locked(tx, number)
    lifecycle.approve(stored.request, by.name, seen)
    entry = await repository.move(
        tx,
        stored,
        Action.APPROVE,
        by,
        {"seen": stored.request.seen},
        decided_by=by.name,
        decided_at=tx.now,
    )
    _write(tx, stored, "apply", entry)
    return stored


async def refuse(tx: Transaction, number: int, by: Actor, reason: str) -> Stored:
    """Somebody says no, and why. NotAllowed."""
    _demand(by)
    reason = _reason(reason, "a refusal")
    stored = await repository.locked(tx, number)
    if stored.before is not None:
        raise NotAllowed(f"request {number} is being applied: undo it afterwards")
    await repository.move(
        tx,
        stored,
        Action.REFUSE,
        by,
        {"reason": reason},
        decided_by=by.name,
        decided_at=tx.now,
        reason=reason,
    )
    return stored


async def undo(tx: Transaction, number: int, by: Actor, reason: str) -> Stored:
    """Have put back what was before. NotAllowed, also where a later request of the organization is in force."""
    _demand(by)
    reason = _reason(reason, "undoing")
    stored = await repository.locked(tx, number)
    if (later := await repository.later_in_force(tx, stored.request)) is not None:
        raise NotAllowed(f"request {later} came after request {number}: undo that first")
    if stored.before is None and stored.request.state is State.FAILED:
        raise NotAllowed(f"request {number} has changed nothing: there is nothing to undo")
    entry = await repository.move(tx, stored, Action.UNDO, by, {"reason": reason}, reason=reason)
    _write(tx, stored, "undo", entry)
    return stored


def watch(tx: Transaction, number: int, organization_id: str) -> None:
    """Have what a request in force has set compared with what is."""
    key = f"{number}:watch:{int(tx.now.timestamp())}"
    tx.deliveries.schedule(
        SHARING, key, lane=organization_id, payload={"request": number, "do": "watch"}, priority=-1
    )


def read_again(tx: Transaction, number: int) -> None:
    """Have an open request read once more, because time has passed."""
    _read(tx, number, int(tx.now.timestamp()))


def _read(tx: Transaction, number: int, entry: int) -> None:
    payload = {"request": number}
    tx.deliveries.schedule(SHARING_CHECK, f"{number}:{entry}", lane=str(number), payload=payload)


def _write(tx: Transaction, stored: Stored, what: str, entry: int) -> None:
    number, lane = stored.request.number, stored.request.organization_id
    payload = {"request": number, "do": what}
    tx.deliveries.schedule(SHARING, f"{number}:{what}:{entry}", lane=lane, payload=payload)


def _demand(by: Actor) -> None:
    if not by.name.strip() or len(by.name) > LONGEST_NAME or not by.name.isprintable():
        raise NotAllowed(f"a name is needed, of 1 to {LONGEST_NAME} printable characters")


def _reason(reason: str, what: str) -> str:
    plain = reason.strip()
    if not plain or len(plain) > LONGEST_REASON:
        raise NotAllowed(f"{what} needs a reason, of 1 to {LONGEST_REASON} characters")
    return plain
