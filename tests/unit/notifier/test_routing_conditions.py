"""What a rule may ask of a ticket, as tables: conditions, who acted, what happened, all or the first; and why not."""

from dataclasses import replace
from typing import Any

import orjson

from notifier.changes.records import Value
from notifier.feeds.decisions import as_facts, from_facts
from notifier.feeds.lookups import Lookups
from notifier.feeds.merge import Content, FieldName
from notifier.feeds.routing import FormNames
from notifier.policy.conditions import Routable, Verdict
from notifier.policy.notifier import NotifierPolicy
from notifier.policy.routing import FeedRule
from supportops.vendors.zendesk import References
from tests.support.for_each import for_each
from tests.unit.supportops.vendors.fake_zendesk import Fake, client_of

YES, NO, UNKNOWN = Verdict.YES, Verdict.NO, Verdict.UNKNOWN
TICKET = Routable(
    "Self-Managed",
    frozenset({"premium"}),
    public=True,
    actor="person",
    kind="created",
    priority="urgent",
    brand="Example",
    group="Tier 1",
    organization="Groablet Enterprises",
    plan="Premium",
    region="EMEA",
    status="open",
)


SOLVED = replace(TICKET, kind="solved", others=frozenset({"assigned"}))
TAGGED = replace(TICKET, kind="tags", added=frozenset({"vip"}), removed=frozenset({"old"}))
RATED = replace(TICKET, kind="rated", score="good")


def rule(name: str = "a", **values: Any) -> FeedRule:
    return FeedRule.model_validate({"name": name, "channel": "C1"} | values)


def changed(fact: str, value: str | None) -> Routable:
    facts: dict[str, Any] = {fact: value}
    return replace(TICKET, **facts)


SECRET = {"id": 8, "name": "Secret Ltd", "organization_fields": {}}


@for_each(
    "status, body, feeds",
    [
        (200, {"organizations": [SECRET]}, ["all"]),
        (
            200,
            {"organizations": [SECRET | {"id": 8, "name": None}]},
            ["all"],
        ),  # it may be the one that is left out
        (403, {"error": "Forbidden"}, ["all"]),
        (200, {"organizations": [SECRET | {"name": "Acme"}]}, ["all", "not-secret"]),
        (200, {"organizations": []}, ["all", "not-secret"]),
    ],
)
async def test_an_organization_that_nobody_can_read_is_in_no_feed_that_asks_for_it(
    status: int, body: Any, feeds: list[str]
) -> None:
    shuns = {"name": "not-secret", "channel": "C2", "organizations": {"exclude": ["Secret Ltd"]}}
    policy = NotifierPolicy.model_validate({"feeds": [{"name": "all", "channel": "C1"}, shuns]})
    fake = Fake()
    fake.give(status, body)
    facts: dict[FieldName, Value] = {"form_id": None, "tags": [], "organization_id": "8"}
    async with client_of(fake) as zendesk:
        names = References(zendesk, clock=fake.clock, metrics=fake.metrics)
        lookups = Lookups(zendesk, names, FormNames(policy.names_lifetime), policy, fake.clock)
        found = await lookups.routable("7", Content(fake.clock.now(), facts, public=True))
    assert [each.name for each in policy.feeds if policy.verdict(each, found) is YES] == feeds


CONDITIONS = [
    ("forms", "form", "self-managed"),
    ("priorities", "priority", "Urgent"),
    ("brands", "brand", "example"),
    ("groups", "group", "Tier  1"),
    ("organizations", "organization", "groablet enterprises"),
    ("plans", "plan", "premium"),
    ("regions", "region", "emea"),
    ("statuses", "status", "Open"),
]


@for_each("key, fact, value", CONDITIONS)
def test_each_condition_says_yes_no_and_not_known(key: str, fact: str, value: str) -> None:
    wants = FeedRule.model_validate({"name": "a", "channel": "C1", key: {"include": [value]}})
    shuns = FeedRule.model_validate({"name": "a", "channel": "C1", key: {"exclude": [value]}})
    other, empty, unknown = (changed(fact, text) for text in ("Other", "", None))
    assert [wants.verdict(each) for each in (TICKET, other, empty, unknown)] == [YES, NO, NO, UNKNOWN]
    assert [shuns.verdict(each) for each in (TICKET, other, empty, unknown)] == [NO, YES, YES, UNKNOWN]
    assert wants.judge(other).why == f"{key}: the ticket has 'Other'"
    assert wants.judge(unknown).why == f"not known: {key}"
    assert wants.asks_for(key)
    assert not rule().asks_for(key)


@for_each(
    "values, ticket, expected, why",
    [
        ({"kinds": ["created"]}, TICKET, YES, ""),
        ({"kinds": ["created"]}, replace(TICKET, kind="commented"), NO, "kinds: it was commented"),
        ({}, SOLVED, NO, "kinds: it was solved, assigned"),
        ({"kinds": ["assigned"]}, SOLVED, YES, ""),
        ({"kinds": ["tags"], "tags_added": {"any": ["vip"]}}, TAGGED, YES, ""),
        ({"kinds": ["tags"], "tags_added": {"any": ["x"]}}, TAGGED, NO, "tags_added: the ticket has vip"),
        (
            {"kinds": ["tags"], "tags_removed": {"none": ["old"]}},
            TAGGED,
            NO,
            "tags_removed: the ticket has old",
        ),
        ({"kinds": ["rated"], "scores": {"include": ["bad"]}}, RATED, NO, "scores: the ticket has 'good'"),
        ({}, replace(TICKET, actor="bot"), YES, ""),
        ({}, replace(TICKET, actor="own"), NO, "actors: it was done by own"),
        ({"actors": ["own"]}, replace(TICKET, actor="own"), YES, ""),
        ({"actors": ["person"]}, replace(TICKET, actor="bot"), NO, "actors: it was done by bot"),
        ({"tags": {"any": ["gold"]}}, TICKET, NO, "tags: the ticket has premium"),
        ({"tags": {"any": ["gold"]}}, replace(TICKET, tags=frozenset()), NO, "tags: the ticket has no tags"),
        ({}, replace(TICKET, public=False), NO, "private_comments: the comment is private"),
        ({}, replace(TICKET, public=None), UNKNOWN, "not known: whether the comment is public"),
        (
            {},
            replace(TICKET, form="Security Issue"),
            NO,
            "never_forms: the ticket's form is 'Security Issue'",
        ),
        ({"secret_forms": True}, replace(TICKET, form="Security Issue"), YES, ""),
        ({}, replace(TICKET, form=None), UNKNOWN, "not known: forms"),
    ],
)
def test_why_and_why_not(values: dict[str, Any], ticket: Routable, expected: Verdict, why: str) -> None:
    feed = rule(**values)
    policy = NotifierPolicy(feeds=(feed,))
    judged = policy.judge(feed, ticket)
    assert (judged.verdict, judged.why) == (expected, why)
    assert policy.verdict(feed, ticket) is expected  # the words and the quick answer never part


@for_each(
    "match, verdicts, names, unknown",
    [
        ("all", [YES, NO, YES], ["0", "2"], False),
        ("first", [NO, YES, YES], ["1"], False),
        ("first", [UNKNOWN, YES], [], True),
        ("first", [YES, UNKNOWN], ["0"], False),
        ("all", [UNKNOWN, YES], ["1"], True),
        ("all", [NO], [], False),
    ],
)
def test_all_feeds_or_the_first(match: str, verdicts: list[Verdict], names: list[str], unknown: bool) -> None:
    policy = NotifierPolicy.model_validate({"match": match})
    chosen, missing = policy.chosen((rule(str(number)), each) for number, each in enumerate(verdicts))
    assert ([feed.name for feed in chosen], missing) == (names, unknown)


QUIET = {"starts": "22:00", "ends": "07:00", "time_zone": "Europe/Berlin"}


def test_a_decision_can_be_read_back_with_the_rules_of_then() -> None:
    feed = rule(plans={"include": ["Premium"]}, quiet_hours=QUIET, template="{{ title }}", mention=["here"])
    policy = NotifierPolicy(feeds=(feed,), match="first")
    assert from_facts(as_facts(TICKET)) == TICKET
    again = NotifierPolicy.model_validate_json(orjson.dumps(policy.routing()))
    assert again.version == policy.version
    assert again.verdict(again.feeds[0], TICKET) is YES
    assert NotifierPolicy(feeds=(rule(),)).version != policy.version
