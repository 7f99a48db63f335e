"""What Slack's ids are called: looked up for channels of the rules and people of the ledger, again after a day."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select

from notifier.breaches.acknowledge import take_click
from notifier.operations.explain import explain_ticket
from notifier.policy.breach_settings import Acknowledging
from notifier.posting.names import AT_ONCE, NameWatch, names_of
from notifier.settings import SlackSettings
from notifier.slack.client import SlackCredentialError, SlackRateLimited, open_slack
from notifier.slack.requests import Click
from notifier.tables import breach_notices, breach_targets
from supportops.clock import ManualClock
from supportops.observability.metrics import Metrics
from supportops.store import Store
from tests.integration.notifier.pages import MINUTE, NOW, notice, posted
from tests.support.engine import rows_of, store_on

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
OPEN, CLOSED = "C0SUPPORTOPS", "C0CLOSED1"


class Slack:
    """Answers `conversations.info` and `users.info`, and counts who was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.names: dict[str, Any] = {OPEN: {"name": "support-ops"}, "U0ADA": {"real_name": "Ada Agent"}}
        self.refuses: dict[str, httpx.Response] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        key = request.url.params.get("channel") or request.url.params["user"]
        self.asked.append(key)
        if key in self.refuses:
            return self.refuses[key]
        kind = "user" if key.startswith("U") else "channel"
        if key not in self.names:
            return httpx.Response(200, json={"ok": False, "error": f"{kind}_not_found"})
        return httpx.Response(200, json={"ok": True, kind: self.names[key]})


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
async def store(new_database: Callable[[str], str], clock: ManualClock) -> AsyncIterator[Store]:
    async with store_on(new_database("notifier"), clock) as opened:
        yield opened


@pytest.fixture
def slack() -> Slack:
    return Slack()


async def look(store: Store, slack: Slack, *channels: str) -> dict[str, str]:
    """What is known after a run; who was asked for is forgotten before it."""
    slack.asked.clear()
    settings = SlackSettings(base_url="https://slack.example/api", token=SecretStr("xoxb-1"))
    transport = httpx.MockTransport(slack)
    async with open_slack(settings, clock=store.clock, metrics=Metrics(), transport=transport) as client:
        await NameWatch(store, client, channels).look()
    async with store.reading() as conn:
        return await names_of(conn, [OPEN, CLOSED, "U0ADA", "U0GONE", None])


async def test_channels_and_people_get_names_and_a_renamed_one_its_new_name(
    store: Store, slack: Slack, clock: ManualClock
) -> None:
    taken = {"taken_by": "U0ADA", "taken_until": NOW}
    await notice(store, "1", "posted", target="open", **posted(channel="U0GONE"), **taken)
    names = {OPEN: "support-ops", "U0ADA": "Ada Agent"}
    assert await look(store, slack, OPEN, CLOSED, "by-name") == names
    assert sorted(slack.asked) == sorted([OPEN, CLOSED, "U0ADA", "U0GONE"])
    slack.names[OPEN] = {"name": "support-ops-old\u202e"}
    assert await look(store, slack, OPEN, CLOSED) == names
    assert slack.asked == []
    clock.advance(timedelta(days=1) + MINUTE)
    assert await look(store, slack, OPEN, CLOSED) == names | {OPEN: "support-ops-old"}


async def test_a_channel_without_a_name_holds_no_other_up(store: Store, slack: Slack) -> None:
    lacking = {"ok": False, "error": "missing_scope", "needed": "groups:read"}
    slack.refuses[CLOSED] = httpx.Response(200, json=lacking)
    odd: dict[str, Any] = {"C0ODD00001": {"name": None}, "C0ODD00002": [], "C0ODD00003": {"name": ""}}
    slack.names |= odd
    many = [f"C0MANY{number:04d}" for number in range(AT_ONCE)]
    assert await look(store, slack, CLOSED, *odd, *many) == {}
    assert len(slack.asked) == AT_ONCE
    assert await look(store, slack, CLOSED, *odd, *many, OPEN) == {OPEN: "support-ops"}
    assert len(slack.asked) == 5


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(429, headers={"Retry-After": "9"}), SlackRateLimited),
        (httpx.Response(200, json={"ok": False, "error": "token_revoked"}), SlackCredentialError),
    ],
)
async def test_slack_away_is_asked_again_in_the_next_run(
    store: Store, slack: Slack, answer: httpx.Response, error: type[Exception]
) -> None:
    slack.refuses[OPEN] = answer
    with pytest.raises(error):
        await look(store, slack, OPEN)
    slack.refuses.clear()
    assert await look(store, slack, OPEN) == {OPEN: "support-ops"}


async def test_who_takes_a_notice_is_known_at_once_and_keeps_the_better_name(
    store: Store, slack: Slack
) -> None:
    await notice(store, "1", "posted", target="open", **posted())
    for number, action in enumerate(("breach_take", "breach_give_back", "breach_take")):
        click = Click(f"c{number}", action, "1", "U0ADA", None, OPEN, "ada")
        await take_click(store, Acknowledging(), click, outsider=False)
        async with store.reading() as conn:
            known = await names_of(conn, ["U0ADA"])
        assert known == {"U0ADA": "ada" if number == 0 else "Ada Agent"}
        if number == 0:
            store.clock.advance(timedelta(days=2))  # type: ignore[attr-defined]
            assert await look(store, slack) == {"U0ADA": "Ada Agent"}


@pytest.mark.parametrize(("user", "channel", "taken"), [("", OPEN, None), ("U0ADA", "", "U0ADA")])
async def test_a_press_of_nobody_takes_nothing_and_one_from_nowhere_is_answered_nowhere(
    store: Store, user: str, channel: str, taken: str | None
) -> None:
    await notice(store, "1", "posted", target="open", **posted())
    await take_click(
        store, Acknowledging(), Click("c", "breach_take", "1", user, None, channel), outsider=False
    )
    async with store.reading() as conn:
        assert (await conn.execute(select(breach_targets.c.taken_by))).scalar() == taken
    assert [row["lane"] for row in (await rows_of(store)).values() if row["lane"] == user] == []


async def test_a_tickets_story_names_its_channels_except_for_the_bot(store: Store, slack: Slack) -> None:
    await notice(store, "1", "posted", target="open", **posted(channel=OPEN))
    await notice(store, "2", "posted", target="open", **posted(channel=CLOSED))
    await look(store, slack, OPEN)
    async with store.reading() as conn:
        tickets = (await conn.execute(select(breach_notices.c.ticket_id))).scalars().all()
        for named, place in ((True, f"#support-ops ({OPEN})"), (False, OPEN)):
            stories = [await explain_ticket(conn, each, NOW, False, named=named) for each in tickets]
            told = {line.what.partition(" posted in ")[2] for story in stories for line in story.lines}
            assert told == {place, CLOSED}
