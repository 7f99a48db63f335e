"""What operators ask about routing: why not (explain), what would be (preview), what would have been (backtest)."""

from datetime import UTC, datetime, timedelta

import pytest

from notifier.feeds.decisions import keep_rules
from notifier.operations.backtest import backtest
from notifier.operations.backtest_commands import leaks_of
from notifier.operations.explain import explain_ticket
from notifier.operations.preview_commands import ticket_previews
from notifier.policy.notifier import NotifierPolicy
from tests.integration.notifier.app import RULES, Service
from tests.integration.notifier.events import commented, created, said
from tests.integration.notifier.sandbox import GITLAB_COM, SELF_MANAGED, Outside

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


async def with_history(service: Service, outside: Outside, now: datetime) -> dict[str, str]:
    """Tickets of three kinds, told to the service: their ids by kind."""
    async with service.store.transaction() as tx:
        await keep_rules(tx, RULES)
        await keep_rules(tx, RULES)
    forms = {"ours": "Self-Managed", "hosted": "GitLab.com", "secret": "Security Issue"}
    tickets = {kind: outside.create(form=form) for kind, form in forms.items()}
    await service.after(*(created(ticket, now) for ticket in tickets.values()))
    number = outside.comment(str(tickets["ours"]["id"]), "Internal.", public=False)
    await service.after(commented(tickets["ours"], said(number, is_public=False), now))
    return {kind: str(ticket["id"]) for kind, ticket in tickets.items()}


async def test_explain_says_why_not(service: Service, outside: Outside, now: datetime) -> None:
    tickets = await with_history(service, outside, now)
    async with service.store.reading() as conn:
        told = await explain_ticket(conn, tickets["secret"], now, False)
        ours = await explain_ticket(conn, tickets["ours"], now, False)
    (decision,) = told.document["decisions"]
    assert decision["feeds"] == []
    why = "never_forms: the ticket's form is 'Security Issue'"
    assert decision["not"] == {"self-managed": why, "gitlab-com": why}
    assert f"not gitlab-com: {why}" in [line.detail for line in told.lines]
    noted = ours.document["decisions"][1]
    assert noted["not"]["self-managed"] == "private_comments: the comment is private"


async def test_preview_shows_a_tickets_message_and_posts_nothing(service: Service, outside: Outside) -> None:
    ticket = outside.create(form="Self-Managed", subject="Down")
    found = {each.feed.name: each for each in await ticket_previews(service.context, str(ticket["id"]), None)}
    assert "Down" in found["self-managed"].document()["picture"]
    assert found["gitlab-com"].why_not == "forms: the ticket has 'Self-Managed'"
    assert outside.posts() == []
    assert await ticket_previews(service.context, "99999", None) == []


async def changed(service: Service, rules: dict[str, object], now: datetime) -> dict[str, object]:
    policy = NotifierPolicy.model_validate(rules)
    async with service.store.reading() as conn:
        found = await backtest(conn, policy, now - timedelta(days=14))
    return found.document() | {"leaks": await leaks_of(found, service.context.channels)}


async def test_a_changed_file_is_held_against_what_happened(
    service: Service, outside: Outside, now: datetime
) -> None:
    await with_history(service, outside, now)
    hosted = {"name": "hosted", "channel": GITLAB_COM, "forms": {"include": ["GitLab.com"]}}
    everything = {"name": "all", "channel": "C0EVERYTHING"}
    same = await changed(service, RULES.routing(), now)
    assert (same["messages"], same["same"], same["gained"], same["lost"], same["moved"]) == (4, 4, 0, 0, 0)
    lost = await changed(service, {"feeds": [hosted]}, now)
    assert (lost["lost"], lost["lost_by_channel"]) == (1, {SELF_MANAGED: 1})
    moved = await changed(service, {"feeds": [everything]}, now)
    assert (moved["moved"], moved["gained_by_channel"]) == (2, {"C0EVERYTHING": 2})
    assert moved["leaks"] == {}
    unknown = await changed(service, {"feeds": [everything | {"plans": {"include": ["Gold"]}}]}, now)
    assert sum(unknown["not_known"].values()) >= 2  # type: ignore[attr-defined]  # a document
    since = await changed(service, RULES.routing(), now + timedelta(days=30))
    assert since["messages"] == 0


@pytest.mark.parametrize(("private", "leaks"), [(True, 0), (False, 1)])
async def test_a_leak_is_named(
    service: Service, outside: Outside, now: datetime, private: bool, leaks: int
) -> None:
    await with_history(service, outside, now)
    outside.make_channel("C0MANAGERS", private=private)
    marked = {"name": "m", "channel": "C0MANAGERS", "private_comments": True, "secret_forms": True}
    found = await changed(service, {"feeds": [*RULES.routing()["feeds"], marked]}, now)
    assert found["confidential_to"] == {"C0MANAGERS": 2}
    assert len(found["leaks"]) == leaks  # type: ignore[arg-type]  # a document
