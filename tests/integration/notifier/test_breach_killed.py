"""The notifier is killed (SIGKILL) between Slack's post of a notice and our record of it: told once, or as the table
of docs/architecture.md says where nobody can be asked.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from notifier import tables
from notifier.destinations import BREACH_NOTICES
from notifier.settings import Settings
from supportops.store import Store
from tests.integration.notifier.breaches import CHANNEL, METRIC, new_ticket, policy, soon, target
from tests.integration.notifier.conftest import OpenBreaches
from tests.integration.notifier.events import created
from tests.integration.notifier.notice_worker import working
from tests.integration.notifier.sandbox import Outside
from tests.support.eventually import eventually

HANGS: dict[str, Any] = {"kind": "hang", "delay": 60, "count": 2}
KILLED = {
    "after the post": (True, True, 1),
    "before the post": (False, True, 1),
    "after the post, and the history cannot be read": (
        True,
        False,
        2,
    ),  # an alarm repeats rather than is lost
}


@pytest.mark.parametrize(("after_commit", "readable", "told"), KILLED.values(), ids=KILLED)
async def test_a_notifier_killed_in_its_call(
    open_breaches: OpenBreaches,
    settings: Settings,
    outside: Outside,
    after_commit: bool,
    readable: bool,
    told: int,
) -> None:
    service = await open_breaches(policy())
    outside.arm(after_commit=after_commit, **HANGS)
    await service.hears(created(new_ticket(outside, target(soon(minutes=30))), datetime.now(UTC)))
    patient = settings.slack.model_copy(update={"timeout": timedelta(seconds=25)})
    with working(settings.model_copy(update={"slack": patient}), policy()) as child:

        async def calls() -> bool:
            assert child.is_alive()
            return outside.calls_refused() == 1 and len(outside.posts(CHANNEL)) == after_commit

        await eventually(calls, within=30, about="the call that hangs")
        child.kill()
        child.join()
    outside.disarm()
    assert (await service.states()) == {f"{METRIC} 1h": ("planned", None)}
    if not readable:
        outside.leave(CHANNEL)
    await its_lease_runs_out(service.store)
    async with service.delivering():
        settled = await service.settled(ahead=True)
    (notice,) = (row for key, row in settled.items() if key.startswith(BREACH_NOTICES))
    assert (notice["state"], notice["attempts"]) == ("done", 2)
    assert len(outside.posts(CHANNEL)) == told
    (row,) = await service.rows()
    assert (row["state"], row["ts"]) == ("posted", outside.posts(CHANNEL)[-1]["ts"])


async def its_lease_runs_out(store: Store) -> None:
    """Time that the test does not wait for."""
    d, lanes = tables.engine.deliveries, tables.engine.lanes
    async with store.transaction() as tx:
        held = update(d).where(d.c.lease_until.is_not(None))
        await tx.execute(held.values(lease_until=tx.now, next_attempt_at=tx.now))
        await tx.execute(update(lanes).values(free_at=None, claimable_at=tx.now))
