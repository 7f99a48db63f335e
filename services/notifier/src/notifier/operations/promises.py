"""The ledger of promises: each notice that was due, when it came, and what became of its target.

`notifier promises --since 7d` lists it; the weekly summary counts it (docs/notifier.md, "Breach notices").
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from notifier.breaches.arming import NoticeState
from notifier.breaches.targets import TargetState
from notifier.policy.breaches import BreachPolicy
from notifier.tables import breach_notices, breach_targets
from supportops.operations.on_database import on_database
from supportops.operations.options import SinceText, moment_of
from supportops.runtime.cli import AnyService, AsJson
from supportops.runtime.output import emit
from supportops.store import Store

WEEK = timedelta(days=7)
GRACE = timedelta(minutes=1)
"""How long after a breach an unsent notice counts as missed: its courier may be at it."""
LATE_AFTER = BreachPolicy().late_after


@dataclass(frozen=True)
class Promise:
    """One notice that was due. `late`: from the moment it was due, or was found to be, to its post; None while unsent.

    `outcome`: how its target stands (posted ones), `waiting`, `missed` (the breach has passed), or `not sent`.
    """

    ticket_id: str
    metric: str
    step: str
    rule: str
    due_at: datetime
    breach_at: datetime
    posted_at: datetime | None
    late: timedelta | None
    road: str | None
    outcome: str
    reason: str | None

    @property
    def target(self) -> tuple[str, str, datetime]:
        """What it is about."""
        return self.ticket_id, self.metric, self.breach_at

    def row(self) -> dict[str, Any]:
        """As the command prints it."""
        seconds = None if self.late is None else round(self.late.total_seconds(), 3)
        shown: dict[str, Any] = {
            "ticket": self.ticket_id,
            "metric": self.metric,
            "step": self.step,
            "rule": self.rule,
        }
        shown |= {"due": _moment(self.due_at), "posted": _moment(self.posted_at), "late_seconds": seconds}
        return shown | {"road": self.road, "outcome": self.outcome, "why": self.reason}


@dataclass(frozen=True)
class Account:
    """A stretch of time in numbers: notices posted, late and missed; targets saved, breached and answered late."""

    posted: int
    late: int
    missed: int
    saved: int
    breached: int
    answered_late: int
    worst: timedelta


async def promises(conn: AsyncConnection, since: datetime, now: datetime) -> list[Promise]:
    """Every notice that was due since then, in the order of their moments; those decided against included."""
    n, t = breach_notices, breach_targets
    query = (
        select(n, t.c.state.label("target_state"))
        .outerjoin(t, t.c.key == n.c.target)
        .where(n.c.due_at >= since, n.c.due_at <= now)
        .order_by(n.c.due_at, n.c.key)
    )
    return [_promise(row, now) for row in (await conn.execute(query)).mappings()]


def count(found: Sequence[Promise], late_after: timedelta = LATE_AFTER) -> Account:
    """The promises in numbers."""
    posted = [each for each in found if each.posted_at is not None]
    targets = {each.target: each for each in posted}
    told_before = {each.target for each in posted if each.posted_at and each.posted_at < each.breach_at}
    states = Counter(each.outcome for each in targets.values())
    saved = sum(targets[key].outcome == TargetState.ANSWERED for key in told_before)
    lengths = [each.late for each in posted if each.late is not None]
    return Account(
        len(posted),
        sum(each > late_after for each in lengths),
        sum(each.outcome == "missed" for each in found),
        saved,
        states[TargetState.BREACHED],
        states[TargetState.ANSWERED_LATE],
        max(lengths, default=timedelta()),
    )


def words(account: Account) -> str:
    """One line for people."""
    worst = round(account.worst.total_seconds(), 1)
    return (
        f"{account.posted} breach notices: {account.saved} targets answered in time, {account.breached} breached, "
        f"{account.answered_late} answered late; {account.late} notices late (the worst {worst} s), "
        f"{account.missed} missed"
    )


def _promise(row: Mapping[Any, Any], now: datetime) -> Promise:
    state, posted_at = NoticeState(row["state"]), row["posted_at"]
    late = None if posted_at is None else timedelta(milliseconds=row["late_ms"] or 0)
    names = ("ticket_id", "metric", "step", "rule", "due_at", "breach_at")
    return Promise(
        **{name: row[name] for name in names},
        posted_at=posted_at,
        late=late,
        road=row["road"],
        outcome=_outcome(state, row["target_state"], row["breach_at"], now),
        reason=row["reason"],
    )


def _outcome(state: NoticeState, target: str | None, breach_at: datetime, now: datetime) -> str:
    if state is NoticeState.POSTED:
        return target or TargetState.OPEN.value
    if state is not NoticeState.PLANNED:
        return "not sent"
    return "missed" if breach_at + GRACE < now else "waiting"


def _moment(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def add_promises(app: typer.Typer, service: AnyService) -> None:
    """Add `promises` to the notifier's commands."""

    @app.command(name="promises")
    def show(
        since: SinceText = "7d",
        refused: Annotated[
            bool, typer.Option("--refused", help="Also those that were decided against, and why.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """List the breach notices that were due: when they came, how late, and what became of their targets.

        Needs the database only. The last line counts them; exit code 0 also when some were missed.
        """

        async def look(store: Store) -> int:
            now = store.clock.now()
            async with store.reading() as conn:
                found = await promises(conn, moment_of(since, now) or now - WEEK, now)
            shown = [each for each in found if refused or each.outcome != "not sent"]
            emit([each.row() for each in shown], as_json=as_json, title="Breach notices")
            typer.echo(words(count(found)), err=True)
            return 0

        raise typer.Exit(on_database(service, look))
