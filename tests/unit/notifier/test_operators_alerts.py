"""Operators' alerts: what is told of a service, when again, and when it is over; Zendesk's rules beside ours."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import httpx
import orjson

from notifier.notices.problems import Known, Problem, Seen, news
from notifier.operations.channel_checks import channels_of
from notifier.operations.doctor import unknown_names, zendesk_checks
from notifier.operations.sibling_rules import CHECK, judge
from notifier.policy.notifier import NotifierPolicy
from notifier.posting.alerts import alert_message
from supportops.clock import SystemClock
from supportops.observability.metrics import Metrics
from supportops.operations.checks import examine
from supportops.vendors.zendesk import Zendesk
from tests.support.for_each import for_each
from tests.unit.notifier.hostile import HOSTILE, dangers

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
MINUTE, HOURS = timedelta(minutes=1), timedelta(hours=6)


def ready(**failing: str) -> dict[str, Any]:
    probes = [{"name": name, "ok": False, "detail": detail} for name, detail in failing.items()]
    return {"ready": not probes, "probes": [*probes, {"name": "database", "ok": True, "detail": "answers"}]}


def counted(letters: int, dead: int = 0) -> str:
    """What a process of ours shows."""
    metrics = Metrics()
    metrics.count("dead_letters", letters, group="csat", stage="handle")
    metrics.count("deliveries_dead", dead, destination="gitlab.issue")
    return metrics.exposition().decode()


def look(known: Known, seen: Seen, after: timedelta = timedelta()) -> list[Problem]:
    return news("csat", seen, known, NOW + after, HOURS)


def test_a_problem_is_told_when_it_begins_again_after_hours_and_when_it_is_over() -> None:
    known, standing = Known(), Seen(ready(consumer="stands since 10:00"), None)
    begun = [Problem("csat: consumer: stands since 10:00", "csat doctor; csat dead-letters list")]
    assert look(known, standing) == begun
    assert look(known, standing, MINUTE) == []
    (again,) = look(known, standing, HOURS)
    assert again.words.endswith("(since 2026-11-02 09:00 UTC)")
    (over,) = look(known, Seen(ready(), None), HOURS + MINUTE)
    assert over == Problem("csat: consumer is well again (it was not since 2026-11-02 09:00 UTC)")
    assert look(known, Seen(ready(), None), HOURS + 2 * MINUTE) == []


def test_what_is_given_up_is_counted_from_the_first_look_on_and_over_restarts() -> None:
    known = Known()
    assert look(known, Seen(ready(), counted(7))) == []
    (letters,) = look(known, Seen(ready(), counted(9)))
    assert letters == Problem("csat: 2 records in the dead letter", "csat dead-letters list")
    after_restart = look(known, Seen(ready(), counted(1, dead=3)))
    assert [problem.words for problem in after_restart] == [
        "csat: 1 records in the dead letter",
        "csat: 3 calls to gitlab.issue given up",
    ]
    assert after_restart[1].remedy == "csat deliveries list --state dead --destination gitlab.issue"


def test_a_silent_service_is_told_and_nothing_is_guessed_of_its_counters() -> None:
    known = Known()
    look(known, Seen(ready(), counted(7)))
    (silent,) = look(known, Seen(None, None))
    assert silent.words == "csat: does not answer"
    assert look(known, Seen(ready(), counted(7)))[0].words.startswith("csat: side port is well again")


def test_a_paused_destination_names_the_command_that_resumes_it() -> None:
    (paused,) = look(Known(), Seen(ready(**{"destination:slack.feed": "waits"}), None))
    assert paused.remedy == "csat doctor; after a fix: csat deliveries resume slack.feed"


def test_many_are_one_message_within_slacks_limits() -> None:
    lines = [("w" * 500, "r" * 500)] * 60
    message = alert_message(lines)
    assert message.text == ":rotating_light: 60 things need an operator; the first 20"
    assert dangers(message, allowed=set(), links=set()) == []


@for_each("text", HOSTILE)
def test_a_vendors_words_in_an_alert_are_only_text(text: str) -> None:
    assert dangers(alert_message([(text, text)]), allowed=set(), links=set()) == []


WEBHOOKS = [
    {"id": "01A", "endpoint": "https://hooks.slack.com/services/T/B/X"},
    {"id": "01B", "endpoint": "https://ingest.example/webhooks/zendesk"},
    {"id": "01C", "endpoint": "https://slack.com.evil.example/x"},
    {"id": "01D", "endpoint": "https://notslack.com/x"},
]


def rule(field: str, value: object) -> dict[str, Any]:
    return {"title": "Tell Slack", "actions": [{"field": field, "value": value}]}


@for_each(
    "found, verdict",
    [
        (rule("notification_webhook", ["01A", "{}"]), "warning"),
        (rule("notification_webhook", ["01B", "{}"]), "ok"),
        (rule("notification_webhook", ["01C", "{}"]), "ok"),
        (rule("notification_webhook", ["01D", "{}"]), "ok"),
        (rule("notification_target", ["7", "https://hooks.slack.com/services/T"]), "warning"),
        (rule("notification_slack", "C1"), "warning"),
        (rule("current_tags", "slack"), "ok"),
        (rule("current_tags", "a our_tag"), "warning"),
        (rule("set_tags", "our_tag"), "warning"),
        (rule("remove_tags", "our_tag"), "ok"),
        ({"title": "odd", "actions": ["?", None]}, "ok"),
    ],
)
def test_rules_of_zendesk_that_post_into_slack_are_found(found: dict[str, Any], verdict: str) -> None:
    finding = judge([found], WEBHOOKS, {"our_tag"})
    assert finding.verdict == verdict
    assert ("Tell Slack" in finding.detail) is (verdict == "warning")


def test_the_doctor_looks_at_every_channel_that_the_rules_name() -> None:
    feeds = [{"name": "a", "channel": "C1"}, {"name": "b", "channel": "C2", "private_comments": True}]
    notices = {"ratings": {"channel": "C3"}, "alerts": {"channel": "C4"}}
    roads = [{"by": "channel", "channel": "C7"}, {"by": "assignee"}]
    breach = {"name": "b", "channel": "C6", "title": "T", "second_roads": roads}
    breaches = {"rules": [breach], "summary": {"channel": "C8"}}
    sections = {"feeds": feeds, "notices": notices, "breaches": breaches, "fallback_channel": "C5"}
    policy = NotifierPolicy.model_validate(sections)
    assert channels_of(policy) == {f"C{number}": number == 2 for number in range(1, 9)}


KNOWN: dict[str, tuple[str, ...]] = {
    "forms": ("Self-Managed", "GitLab.com"),
    "views": ("Unsolved",),
    "schedules": ("Day",),
}
NAMING: dict[str, Any] = {
    "feeds": [{"name": "a", "channel": "C1", "forms": {"include": ["self-managed"], "exclude": ["Gone"]}}],
    "bot": {"views": {"names": ["UNSOLVED"]}},
    "notices": {"success": {"channel": "C1", "schedule": "Day"}},
}
RULE = {"name": "b", "channel": "C1", "title": "T"}


@for_each(
    "rules, known, said",
    [
        ({}, {}, []),
        (NAMING, KNOWN, []),
        (
            NAMING | {"breaches": {"rules": [RULE | {"forms": {"include": ["Gitlab.con"]}}]}},
            KNOWN,
            ["'Gitlab.con'"],
        ),
        (NAMING, KNOWN | {"forms": ()}, ["shows no form"]),
        (NAMING, KNOWN | {"views": ()}, ["no view 'UNSOLVED'"]),
        (NAMING, KNOWN | {"schedules": ("day",)}, ["no schedule 'Day'"]),
    ],
)
async def test_names_that_zendesk_does_not_have_are_told(
    rules: dict[str, Any], known: dict[str, tuple[str, ...]], said: list[str]
) -> None:
    async def forms() -> dict[str, Any]:
        return {name: SimpleNamespace(name=name) for name in known["forms"]}

    async def views() -> list[Any]:
        return [SimpleNamespace(title=name) for name in known["views"]]

    async def schedules() -> list[Any]:
        return [SimpleNamespace(name=name) for name in known["schedules"]]

    zendesk = SimpleNamespace(
        ticket_forms=forms, lists=SimpleNamespace(views=views), schedules=SimpleNamespace(all=schedules)
    )
    found = [
        each async for each in unknown_names(cast("Zendesk", zendesk), NotifierPolicy.model_validate(rules))
    ]
    assert [(each.verdict, words in each.detail) for each, words in zip(found, said, strict=True)] == [
        ("warning", True)
    ] * len(said)


ODD: tuple[object, ...] = (None, "x", 5, {"a": 1}, [5, None], [{}], [{"actions": 5}])
ODD_BODIES = [orjson.dumps(dict.fromkeys(("automations", "triggers", "webhooks"), odd)) for odd in ODD]
ODD_BODIES += [orjson.dumps({"automations": [], "triggers": [], "webhooks": [{"endpoint": "https://[::1"}]})]
ODD_BODIES += [orjson.dumps({"automations": [], "meta": {"has_more": True, "after_cursor": 5}})]


@for_each("body", [*ODD_BODIES, b"", b"[]", b"<html>", b"{}"])
async def test_the_doctor_lives_on_any_answer_of_zendesk(body: bytes) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    async with httpx.AsyncClient(transport=transport, base_url="https://acme.zendesk.com") as client:
        found = {each.check: each for each in await examine(zendesk_checks(client, SystemClock(), {"tag"}))}
    assert set(found) == {"clock: zendesk", CHECK}
    if b"[" not in body:  # not even a list: nothing is known, which is not "none"
        assert found[CHECK].verdict != "ok"
