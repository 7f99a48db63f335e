"""What operators ask about routing: why not (explain), what would be (preview), what would have been (backtest)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notifier.feeds.decisions import as_facts, keep_decision, keep_rules
from notifier.feeds.lookups import Lookups
from notifier.feeds.merge import FIRST
from notifier.feeds.routing import FormNames
from notifier.operations.backtest import backtest
from notifier.operations.backtest_commands import leaks_of
from notifier.operations.explain import explain_ticket
from notifier.operations.preview_commands import ticket_previews
from notifier.policy.conditions import Routable
from notifier.policy.notifier import NotifierPolicy
from supportops.clock import SystemClock
from supportops.observability.metrics import Metrics
from supportops.vendors.zendesk import References
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
    found = {each.rule.name: each for each in await ticket_previews(service.context, str(ticket["id"]), None)}
    assert "Down" in found["self-managed"].document()["picture"]
    assert found["gitlab-com"].why_not == "forms: the ticket has 'Self-Managed'"
    assert outside.posts() == []
    assert await ticket_previews(service.context, "99999", None) == []


async def changed(
    service: Service,
    rules: dict[str, Any],
    now: datetime,
    *,
    read: bool = True,
    in_force: NotifierPolicy = RULES,
) -> dict[str, Any]:
    """What `backtest` says of a file with these rules."""
    policy = NotifierPolicy.model_validate(rules)
    forms = FormNames(policy.names_lifetime)
    zendesk, references = (
        service.context.zendesk,
        References(service.context.zendesk, clock=SystemClock(), metrics=Metrics()),
    )
    lookups = Lookups(zendesk, references, forms, policy, SystemClock()) if read else None
    since = now - timedelta(days=14)
    found = await backtest(service.store, policy, since, in_force=in_force, facts_now=lookups)
    return found.document() | {"leaks": await leaks_of(found, policy, in_force, service.context.channels)}


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
    changes = await changed(service, {"feeds": [everything | {"kinds": ["created", "solved"]}]}, now)
    assert changes["kinds_not_heard_then"] == ["solved"]
    since = await changed(service, RULES.routing(), now + timedelta(days=30))
    assert since["messages"] == 0


NOTHING = Routable(None, None, None, kind="created")


async def decided(service: Service, now: datetime, ticket_id: str, facts: Routable = NOTHING) -> None:
    """A message that no feed got, of which only `facts` were known."""
    row = {
        "ticket_id": ticket_id,
        "item": FIRST,
        "facts": as_facts(facts),
        "feeds": "[]",
        "version": RULES.version,
    }
    async with service.store.transaction() as tx:
        keep_decision(tx, key=f"{ticket_id}:{FIRST}", decided_at=now, **row)


async def test_what_nobody_asked_for_then_is_read(service: Service, outside: Outside, now: datetime) -> None:
    organization = outside.organization(
        "Acme", organization_fields={"support_level": "gold", "region": "emea"}
    )
    ticket = outside.create(
        form="Self-Managed", organization_id=organization, priority="urgent", tags=["vip"], status="open"
    )
    await decided(service, now, str(ticket["id"]))
    conditions = {
        "forms": "Self-Managed",
        "organizations": "Acme",
        "plans": "Gold",
        "regions": "EMEA",
        "priorities": "urgent",
        "statuses": "open",
    }
    for name, value in [*conditions.items(), ("tags", "vip")]:
        wanted, other = (
            {"any": [each]} if name == "tags" else {"include": [each]} for each in (value, "something else")
        )
        feeds = [{"name": "a", "channel": "C0A", name: wanted}, {"name": "b", "channel": "C0B", name: other}]
        found = await changed(service, {"feeds": feeds}, now)
        assert (name, found["gained_by_channel"]) == (name, {"C0A": 1})
        assert (found["judged_by_facts_of_today"], found["not_known"]) == (1, {})
        unread = await changed(service, {"feeds": feeds}, now, read=False)
        assert (unread["gained"], sum(unread["not_known"].values())) == (0, 1)


async def test_facts_of_then_are_kept_and_what_is_gone_is_not_guessed(
    service: Service, outside: Outside, now: datetime
) -> None:
    ticket, gone = (outside.create(form="Self-Managed", priority="low") for _ in range(2))
    then = Routable(None, None, public=True, kind="created", priority="urgent")
    for each in (ticket, gone):
        await decided(service, now, str(each["id"]), then)
    outside.delete(str(gone["id"]))
    feed = {"name": "a", "channel": "C0A", "priorities": {"include": ["urgent"]}, "forms": {"exclude": ["x"]}}
    found = await changed(service, {"feeds": [feed]}, now)
    assert (found["messages"], found["gained"], found["not_known"]) == (2, 1, {"forms": 1})


MARKED = {"name": "m", "channel": "C0MANAGERS", "private_comments": True, "secret_forms": True}


@pytest.mark.parametrize(
    ("feeds", "more", "channel", "said"),
    [
        ([MARKED], {}, {"private": True}, None),
        ([MARKED], {}, {"private": False}, "2 confidential messages, m is marked private_comments"),
        ([MARKED], {}, {"private": True, "ext_shared": True}, "people of another company"),
        ([{"name": "m", "channel": "C0MANAGERS"}], {}, {}, None),
        (
            [{"name": "m", "channel": "C0MANAGERS"}],
            {"never_forms": []},
            {},
            "1 confidential messages, forms with",
        ),
        ([{"name": "m", "channel": "C0MANAGERS"}], {"never_forms": []}, {"private": True}, None),
    ],
)
async def test_a_leak_is_refused(
    service: Service,
    outside: Outside,
    feeds: list[dict[str, Any]],
    more: dict[str, Any],
    channel: dict[str, Any],
    said: str | None,
) -> None:
    now = datetime.now(UTC)
    outside.make_channel("C0MANAGERS", **channel)
    await decided(service, now, "1", Routable("Self-Managed", frozenset(), public=False))
    await decided(service, now, "2", Routable("Security Issue", frozenset(), public=True))
    found = await changed(service, {"feeds": feeds} | more, now)
    assert list(found["leaks"]) == (["C0MANAGERS"] if said else [])
    assert said is None or said in found["leaks"]["C0MANAGERS"]
