"""What tests of the operators' pages put into the notifier's tables: single rows, and a whole day."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import insert, update

from notifier import tables
from notifier.destinations import NOTICES, POSTS
from notifier.feeds.decisions import as_facts, keep_decision, keep_rules
from notifier.notices.payloads import Notice
from notifier.policy.conditions import NameRule, Routable, TagRule
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from notifier.posting.prepared import Note, schedule_note
from supportops.clock import ManualClock
from supportops.store import Store

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus='alert(1)",
    "</td></table><form action=//evil.example>",
    "{{ 7*7 }}{% raw %}",
    "&lt;b&gt; & <!--",
    "\u202egnirts desrever",
)


async def notice(store: Store, ticket: str, state: str, **values: Any) -> None:
    """A row of the ledger, due an hour ago, and its target where `target` says how that stands."""
    target = values.pop("target", None)
    taken = {name: values.pop(name, None) for name in ("taken_by", "taken_until")}
    about = {"ticket_id": ticket, "metric": values.pop("metric", "first_reply_time"), "changed_at": NOW}
    about |= {"breach_at": NOW + 60 * MINUTE, "rule": "premium", "state": state}
    row = about | {"key": ticket, "target": ticket, "step": "2h", "round": 0, "due_at": NOW - 60 * MINUTE}
    row |= {"armed_at": NOW - 90 * MINUTE, "rules_version": "v1"} | values
    async with store.transaction() as tx:
        await tx.execute(insert(tables.breach_notices), [row])
        if target is not None:
            told = about | taken | {"key": ticket, "told_at": NOW, "revision": 1, "state": target}
            await tx.execute(insert(tables.breach_targets), [told | {"rule": row["rule"]}])


def posted(**values: Any) -> dict[str, Any]:
    """Columns of a notice that went out."""
    at = NOW - 60 * MINUTE + timedelta(milliseconds=250)
    return {"posted_at": at, "late_ms": 250, "road": "slack", "channel": "C0BREACH"} | values


async def decide(
    store: Store, rules: NotifierPolicy, ticket: str, facts: Routable, *feeds: str, item: str = "1"
) -> None:
    """A decision about a comment of a ticket."""
    async with store.transaction() as tx:
        await keep_rules(tx, rules)
        keep_decision(
            tx,
            key=f"{ticket}:{item}",
            ticket_id=ticket,
            item=item,
            facts=as_facts(facts),
            feeds=msgspec.json.encode(feeds).decode(),
            version=rules.version,
            decided_at=tx.now,
        )


KEY = "Rhein-Main-Gesellschaft für Bau, Betrieb und Unterhaltung mbH & Co. KG"
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
RENEWALS = "License Renewals and Upgrades"
URGENT, KEY_ACCOUNT = "urgent of ultimate customers in EMEA and APAC, round the clock", f"key account {KEY}"
FEEDS = NotifierPolicy(
    feeds=(
        FeedRule(
            name="self-managed",
            channel="zd-self-managed-feed",
            forms=NameRule(exclude=("GitLab.com", RENEWALS)),
        ),
        FeedRule(name="gitlab-com", channel="zd-gitlab-com-feed", forms=NameRule(include=("GitLab.com",))),
        FeedRule(
            name=URGENT,
            channel="C024BE91L",
            priorities=NameRule(include=("urgent",)),
            plans=NameRule(include=("Ultimate",)),
            regions=NameRule(include=("EMEA", "APAC")),
            tags=TagRule(any=("outage", "production_down"), none=("spam",)),
        ),
        FeedRule(name=KEY_ACCOUNT, channel="key-accounts", organizations=NameRule(include=(KEY,))),
        FeedRule(name="renewals", channel="zd-renewals", forms=NameRule(include=(RENEWALS,))),
    )
)


async def busy_day(store: Store, clock: ManualClock) -> None:
    """Notices in every state, decisions of every kind, and ticket 35436 with a long story. It is `NOW` afterwards."""
    clock.advance(-60 * MINUTE)
    self_managed = partial(Routable, "Self-Managed")
    old = NotifierPolicy(feeds=(FeedRule(name="everything", channel="zd-all"),))
    urgent = self_managed(frozenset(("outage",)), True, priority="urgent", plan="Ultimate", region="EMEA")
    decided: list[tuple[NotifierPolicy, str, Routable, tuple[str, ...]]] = [
        (old, "35400", self_managed(frozenset(), True), ("everything",)),
        (FEEDS, "99999999999999999999", Routable("Security Issue", frozenset(), True), ()),
        (FEEDS, "35451", Routable(RENEWALS, frozenset(), True, organization=KEY), (KEY_ACCOUNT, "renewals")),
        (FEEDS, "35450", self_managed(frozenset(), False, priority="normal"), ()),
        (FEEDS, "35441", Routable("GitLab.com", frozenset(), True, priority="low"), ("gitlab-com",)),
        (FEEDS, "35436", urgent, ("self-managed", URGENT)),
    ]
    for rules, ticket, facts, feeds in decided:
        clock.advance(7 * MINUTE)
        await decide(store, rules, ticket, facts, *feeds)
    clock.advance(NOW - clock.now())
    await _breach_notices(store)
    await _other_notices(store)
    await _messages(store)


async def odd_day(store: Store) -> None:
    """Names that are too long for any column, and names that want to be more than text."""
    odd = (*HOSTILE, LONG)
    feeds = tuple(
        FeedRule(name=name, channel=f"C{at}", groups=NameRule(include=odd)) for at, name in enumerate(odd)
    )
    for at, name in enumerate(odd):
        words = {
            "rule": name,
            "metric": name,
            "step": name,
            "reason": name,
            "taken_by": name,
            "taken_until": NOW,
        }
        await notice(store, name, "posted", target="open", **(words | posted(channel=name, road=name)))
        await decide(store, NotifierPolicy(feeds=feeds), name, Routable(name, frozenset((name,)), True), *odd)
        async with store.transaction() as tx:
            schedule_note(tx, Note(name, name, name), channel=name, key=f"note {at}")


async def _breach_notices(store: Store) -> None:
    taken = {"taken_by": "U024BE7LH", "taken_until": NOW + 25 * MINUTE}
    premium, starter = "self-managed premium and ultimate", "self-managed starter"
    ledger: list[tuple[str, str, dict[str, Any]]] = [
        ("35436", "posted", {"target": "open", "rule": premium} | posted(late_ms=184) | taken),
        ("35402", "posted", {"target": "answered", "rule": premium} | posted(late_ms=0)),
        ("35377", "posted", {"target": "answered_late", "rule": starter} | posted(late_ms=43)),
        (
            "35350",
            "posted",
            {"target": "breached", "rule": starter} | posted(road="email", channel=None, late_ms=301_250),
        ),
        ("35441", "posted", {"target": "paused", "metric": "next_reply_time"} | posted(late_ms=97)),
        ("35460", "planned", {"due_at": NOW + 34 * MINUTE, "breach_at": NOW + 154 * MINUTE, "rule": premium}),
        ("35461", "planned", {"due_at": NOW + 97 * MINUTE, "metric": "requester_wait_time"}),
        ("35333", "planned", {"breach_at": NOW - 30 * MINUTE}),
        ("35470", "no", {"reason": "the ticket is pending: its target is paused", "decided_at": NOW}),
        (
            "35471",
            "no",
            {"reason": f"the organization {KEY} is silenced until Wednesday", "decided_at": NOW},
        ),
    ]
    for at, (ticket, state, values) in enumerate(ledger):
        due = NOW + timedelta(minutes=7 * at - 240)
        due = values.get("due_at", due)
        row = {"due_at": due, "breach_at": due + 120 * MINUTE} | values
        if "late_ms" in row:
            row["posted_at"] = due + timedelta(milliseconds=row["late_ms"])
        await notice(store, ticket, state, **row)


async def _other_notices(store: Store) -> None:
    d = tables.engine.deliveries
    async with store.transaction() as tx:
        rating = msgspec.to_builtins(Notice("rating", "35402", {"comment": "our secret words"}))
        tx.deliveries.schedule(NOTICES, "35402", lane="35402", payload=rating)
        for kind, rule, ticket, channel in (
            ("success", "success", "35380", "customer-success"),
            ("new_ticket", "premium outside business hours", "35462", "premium-alerts"),
            ("account_manager", "tam", "35436", "U0TAM"),
            ("integrity", "integrity", "", "salesforce-integrity"),
            ("operators", "dead_letters", "", "support-ops-alerts"),
        ):
            schedule_note(tx, Note(kind, rule, ticket), channel=channel, key=f"{kind}:{ticket}")
    async with store.transaction() as tx:
        for key, state, outcome in (
            (
                "account_manager:35436",
                "done",
                '{"kind":"cancel","reason":"Salesforce tells the account manager itself"}',
            ),
            ("operators:", "dead", '{"kind":"dead","reason":"Slack said channel_not_found"}'),
        ):
            ended = update(d).where(d.c.key == key)
            await tx.execute(ended.values(state=state, finished_at=NOW - 3 * MINUTE, outcome=outcome))


async def _messages(store: Store) -> None:
    heard = {"ticket_id": "35436", "state": "{}", "changed_at": NOW}
    reading = {"ticket_id": "35436", "reading": "{}", "read_at": NOW, "rule": "premium", "open": True}
    message = {"ticket_id": "35436", "item": "1", "revision": 1, "confidential": False, "changed_at": NOW}
    posts = {
        "zd-self-managed-feed:35436:1": {
            "feed": "self-managed",
            "state": "posted",
            "ts": "1772452800.000100",
        },
        "C024BE91L:35436:1": {"feed": URGENT, "state": "redacted", "ts": "1772452800.000200"},
    }
    rows = [
        message | {"key": key, "channel": key.split(":")[0], "address": key.split(":")[0]} | row
        for key, row in posts.items()
    ]
    async with store.transaction() as tx:
        await tx.execute(insert(tables.feed_tickets), [heard])
        await tx.execute(
            insert(tables.breach_tickets),
            [reading | {"next_breach_at": NOW + 60 * MINUTE, "changed_at": NOW}],
        )
        await tx.execute(insert(tables.feed_messages), rows)
        tx.deliveries.schedule(
            POSTS, "zd-gitlab-com-feed:35441:1", lane="zd-gitlab-com-feed", payload={"x": 1}
        )
        tx.deliveries.schedule(
            POSTS,
            "zd-self-managed-feed:35436:2",
            lane="zd-self-managed-feed",
            payload={"x": 1},
            due_at=NOW + MINUTE,
        )
