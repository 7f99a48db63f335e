"""What a comment costs the notifier's database as a whole; `make bench` counts the same on PostgreSQL's log."""

from datetime import UTC, datetime

import pytest

from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from notifier.wiring import handlers_of
from supportops.messaging import Consumer
from supportops.observability.metrics import Metrics
from supportops.store import Store
from tests.integration.notifier.conftest import OpenService
from tests.integration.notifier.events import commented, said
from tests.integration.notifier.sandbox import Outside
from tests.support.consuming import PaperBroker, feed
from tests.support.engine import rows_of, store_on
from tests.support.eventually import eventually
from tests.support.records import record_of
from tests.support.statements import counted

MESSAGES = 6
BUDGET = 10  # statements: five to consume, five to deliver
SWEEP = "UPDATE outbox SET sweep_after"
IDLE = ("SELECT (SELECT min(lanes.claimable_at)", "SELECT silences.", SWEEP)
"""What is asked every second or five seconds, whatever happens; the sweep in a transaction of its own."""


def rules() -> NotifierPolicy:
    """Each message in a channel of its own, in the usual pace and within the usual budget, told by the events alone."""
    feeds = (
        FeedRule.model_validate(
            {
                "name": f"feed-{n}",
                "channel": f"C0BUDGET{n}",
                "updates": "channel",
                "lookups": False,
                "tags": {"any": [f"group_{n}"]},
            }
        )
        for n in range(MESSAGES + 1)
    )
    return NotifierPolicy(feeds=tuple(feeds))


async def test_a_comment_costs_ten_statements_from_the_record_to_the_settled_post(
    dialect: str, open_service: OpenService, outside: Outside
) -> None:
    if dialect == "sqlite":
        pytest.skip("statements are counted on PostgreSQL")
    service = await open_service(rules())
    ticket = outside.create(form="Self-Managed")
    handlers = handlers_of(service.context.policy, service.context.scheduler)
    member = Consumer(PaperBroker(), service.store, handlers, group="notifier", metrics=Metrics())
    url = service.store._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    async with store_on(url) as by_hand:
        with counted(service.store) as texts:
            async with service.delivering():
                for number in range(MESSAGES + 1):
                    if number == 1:  # the first one finds what every later one needs
                        texts.clear()
                    about = ticket | {"tags": [f"group_{number}"]}
                    news = commented(about, said(str(number)), datetime.now(UTC), sequence=str(number))
                    await feed(member, by_hand, [record_of(news)], "notifier")
                    await eventually(lambda number=number: settled(by_hand, f"C0BUDGET{number}"))  # type: ignore[misc]
    mine = [text for text in texts if not text.startswith(IDLE)]
    around = 2 * sum(text.startswith(SWEEP) for text in texts)
    assert MESSAGES < len(mine) - around <= BUDGET * MESSAGES, "\n".join(text[:120] for text in mine[-12:])
    assert [post["channel_name"] for post in outside.posts()] == [f"c0budget{n}" for n in range(MESSAGES + 1)]


async def settled(store: Store, channel: str) -> bool:
    """Whether all is done, the channel's message too."""
    rows = (await rows_of(store)).values()
    return any(row["lane"] == channel for row in rows) and all(row["state"] == "done" for row in rows)
