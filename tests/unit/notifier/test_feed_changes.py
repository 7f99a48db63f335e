"""Changes as news: which event is which kind, in which words, for which feeds, and that one action is one message."""

from collections import Counter
from datetime import timedelta
from itertools import permutations
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.changes.events import changes_of
from notifier.changes.records import Changed
from notifier.changes.words import sentence, shown
from notifier.destinations import POSTS, ROUTING, UPDATES
from notifier.feeds.merge import Action, TicketFeed
from notifier.feeds.render import FeedLine, Look, render
from notifier.policy.kinds import COMMENTS, KINDS, Kind
from notifier.policy.notifier import NotifierPolicy
from supportops.contracts import (
    Change,
    FeedbackReceived,
    TicketClosed,
    TicketDeleted,
    TicketEvent,
    TicketMerged,
    TicketReopened,
    TicketSolved,
    TicketUndeleted,
    TicketUpdated,
)
from tests.support.for_each import for_each
from tests.unit.notifier.hostile import HOSTILE, dangers
from tests.unit.notifier.test_feed_handlers import NOW, Feed, base, commented

ALL, WINDOW = frozenset(KINDS), timedelta(seconds=5)


def solved(seconds: float = 0, **more: Any) -> TicketSolved:
    facts = base(seconds, **({"ticket": {"status": "solved"}} | more))
    return TicketSolved(**facts, solved_at=NOW, previous_status="open")


def updated(name: str, *changes: tuple[str, Any, Any], at: float = 0, **more: Any) -> TicketUpdated:
    told = [Change(field=field, before=before, after=after) for field, before, after in changes]
    return TicketUpdated(**base(at, **more), zendesk_type=name, changes=told)


def rated(score: str, seconds: float = 0, reason: str | None = None) -> FeedbackReceived:
    at = NOW + timedelta(seconds=seconds)
    facts = {
        "id": f"r{seconds}",
        "source": "/csat",
        "time": at,
        "subject": "5",
        "ticket_id": "5",
        "reason": reason,
    }
    vote = {"rating_id": "9", "score": score, "rated_at": at, "source_kind": "hosted", "requester_id": "3"}
    return FeedbackReceived.model_validate(facts | vote)


def assigned(before: str | None, after: str | None) -> TicketUpdated:
    return updated("agent_assignment_changed", ("assignee_id", before, after))


TOLD: list[tuple[TicketEvent, Kind, str]] = [
    (solved(), "solved", "solved"),
    (TicketReopened(**base(), current_status="open"), "reopened", "reopened"),
    (TicketClosed(**base()), "closed", "closed"),
    (updated("status_changed", ("status", "open", "pending")), "status", "status: open → pending"),
    (assigned(None, "3"), "assigned", "assigned to Ada"),
    (assigned("3", "4"), "reassigned", "assigned to Bob instead of Ada"),
    (assigned("4", None), "unassigned", "taken from Bob"),
    (updated("group_assignment_changed", ("group_id", "3", "4")), "group", "group: Ada → Bob"),
    (updated("priority_changed", ("priority", None, "urgent")), "priority", "priority: urgent"),
    (updated("priority_changed", ("priority", "low", None)), "priority", "priority: low → none"),
    (updated("form_changed", ("form_id", "3", "4")), "form", "form: Ada → Bob"),
    (
        updated("organization_changed", ("organization_id", "3", "4")),
        "organization",
        "organization: Ada → Bob",
    ),
    (updated("brand_changed", ("brand_id", "3", "4")), "brand", "brand: Ada → Bob"),
    (updated("requester_changed", ("requester_id", "3", "4")), "requester", "requester: Ada → Bob"),
    (
        updated("type_changed", ("type", "question", "incident")),
        "type",
        "type of ticket: question → incident",
    ),
    (updated("subject_changed", ("subject", "a", "b")), "subject", "subject: a → b"),
    (updated("tags_changed", ("tags", ["calm"], ["escalated"])), "tags", "tags: +escalated -calm"),
    (updated("custom_field_changed", ("custom_fields.7", None, "yes")), "field", "field 7: yes"),
    (updated("marked_as_spam"), "spam", "deleted as spam"),
    (TicketMerged(**base(), target_ticket_id="6"), "merged", "merged into #6"),
    (TicketMerged(**base()), "merged", "merged into another ticket"),
    (TicketDeleted(**base()), "deleted", "deleted"),
    (TicketUndeleted(**base()), "restored", "restored"),
]
PEOPLE = {"3": "Ada", "4": "Bob"}


@for_each("event, kind, words", TOLD)
def test_each_change_has_its_kind_and_its_words(event: TicketEvent, kind: Kind, words: str) -> None:
    changes = changes_of(event, ALL)
    ids = {name: each for name, each in changes.items() if name.endswith("_id")}
    names = {name: (PEOPLE.get(str(c.before), ""), PEOPLE.get(str(c.after), "")) for name, c in ids.items()}
    assert [change.kind for change in changes.values()] == [kind]
    assert sentence(shown(changes, names)) == words
    assert changes_of(event, ALL - {kind}) == {}
    assert "3" not in sentence(shown(changes, {}))  # nobody reads ids


def test_every_kind_that_a_rule_may_name_is_told_by_some_event() -> None:
    assert {kind for _, kind, _ in TOLD} == ALL - COMMENTS - {"rated"}


def feed_of(*kinds: str, **conditions: Any) -> Feed:
    rule = {"name": "a", "channel": "C1", "kinds": kinds} | conditions
    return Feed(NotifierPolicy.model_validate({"feeds": [rule]}))


SECURITY, HIDDEN = {"form_id": "9"}, {"is_public": False}
ESCALATION = {"tags_added": {"any": ["escalated"]}}


@for_each(
    "feed, event, destination",
    [
        (feed_of("solved"), solved(), POSTS),
        (feed_of("solved"), solved(ticket=SECURITY), None),
        (feed_of("solved"), solved(ticket=HIDDEN), None),
        (feed_of("solved", private_comments=True), solved(ticket=HIDDEN), POSTS),
        (feed_of("solved"), solved(ticket={"form_id": "404"}), ROUTING),
        (feed_of("solved"), solved(own_action=True), None),
        (feed_of("solved", actors=["own"]), solved(own_action=True), POSTS),
        (feed_of("solved", actors=["bot"]), solved(actor_id="System"), POSTS),
        (feed_of("solved", actors=["person"]), solved(actor_id="System"), None),
        (feed_of("solved"), solved(-90_000), None),
        (feed_of("closed"), solved(), None),
        (feed_of("created", "commented"), solved(), None),
        (feed_of("tags", **ESCALATION), updated("tags_changed", ("tags", [], ["escalated"])), POSTS),
        (feed_of("tags", **ESCALATION), updated("tags_changed", ("tags", ["escalated"], [])), None),
        (feed_of("tags", tags_removed={"any": ["x"]}), updated("tags_changed", ("tags", ["x"], [])), POSTS),
        (feed_of("reassigned"), assigned("3", "4"), POSTS),
        (feed_of("reassigned"), assigned(None, "4"), None),
        (
            feed_of("status", statuses={"include": ["hold"]}),
            updated("status_changed", ("status", "open", "x")),
            None,
        ),
        (feed_of("merged"), TicketMerged(**base(), target_ticket_id="6"), POSTS),
        (feed_of("deleted"), TicketDeleted(**base()), POSTS),
        (feed_of("restored"), TicketUndeleted(**base()), POSTS),
        (feed_of("spam"), updated("marked_as_spam"), POSTS),
    ],
)
def test_which_feed_hears_of_a_change(feed: Feed, event: TicketEvent, destination: str | None) -> None:
    scheduled = feed.hears(event)
    assert [name for name, _ in scheduled] == ([destination] if destination else [])


@pytest.mark.parametrize(("score", "wanted"), [("bad", True), ("good", False)])
def test_a_rating_is_told_by_its_score_once_and_changed_in_place(score: str, wanted: bool) -> None:
    feed = feed_of("rated", scores={"include": ["bad"]}, forms={"exclude": ["x"]})
    feed.hears(rated(score))  # nothing is known of the ticket, so it is looked up
    feed.hears(rated(score))
    assert [name for name, _ in feed.tx.scheduled] == ([ROUTING] if wanted else [])
    feed.hears(rated("bad", 60, "slow"))
    assert {key.split(":")[0] for name, key in feed.tx.scheduled if name == UPDATES} == {"5"}


def items(*events: TicketEvent) -> list[tuple[str, list[str], int]]:
    """The messages after the events: what each is about, what was changed, and its revision."""
    feed = feed_of(*KINDS)
    feed.hears(*events)
    state = feed.state()
    contents = [(state.content(each, timedelta(seconds=5)), each.revision) for each in state.items.values()]
    return [(content.kind, sorted(content.changes), revision) for content, revision in contents]


IN_ONE: dict[str, Any] = {"sequence_id": "1"}


def test_what_is_done_at_once_is_one_message_whatever_the_order() -> None:
    events = [
        solved(0, **IN_ONE),
        updated("priority_changed", ("priority", "low", "high"), at=0.1, **IN_ONE),
        updated("tags_changed", ("tags", [], ["a"]), at=0.2, **IN_ONE),
    ]
    told = {tuple(map(repr, items(*order))) for order in permutations(events)}
    assert told == {(repr(("solved", ["priority", "status", "tags"], 3)),)}


@for_each(
    "events, messages",
    [
        ([solved(0, **IN_ONE), solved(0, **IN_ONE)], 1),
        ([solved(0, **IN_ONE), solved(2, actor_id="4", road="trigger")], 1),
        ([solved(0, **IN_ONE), solved(600, actor_id="4", road="trigger")], 2),
        ([solved(0), updated("priority_changed", ("priority", None, "low"), at=3)], 1),
        ([solved(0), updated("priority_changed", ("priority", None, "low"), at=30)], 2),
    ],
)
def test_how_many_messages(events: list[TicketEvent], messages: int) -> None:
    assert len(items(*events)) == messages
    assert len(items(*reversed(events))) == messages


def test_two_changes_of_one_thing_are_one_from_the_first_to_the_last() -> None:
    first = updated("priority_changed", ("priority", "low", "normal"), **IN_ONE)
    last = updated("priority_changed", ("priority", "normal", "urgent"), at=1, **IN_ONE)
    for order in ([first, last], [last, first]):
        feed = feed_of("priority")
        feed.hears(*order)
        (item,) = feed.state().items.values()
        content = feed.state().content(item, timedelta(seconds=5))
        assert sentence(shown(content.changes, {})) == "priority: low → urgent"


@st.composite
def changes(draw: st.DrawFn) -> list[Action]:
    """What two agents change within half a minute, perhaps told with sequences."""
    found, sequences = [], draw(st.booleans())
    for number in range(draw(st.integers(1, 6))):
        at, who = NOW + timedelta(seconds=draw(st.integers(0, 30))), draw(st.sampled_from(["3", "4"]))
        version, value = f"{at.isoformat()}/{number}", draw(st.sampled_from(["low", "high"]))
        name, kind = draw(
            st.sampled_from([("priority", "priority"), ("status", "solved"), ("group_id", "group")])
        )
        change = Changed(cast(Kind, kind), version, None, value)
        key = f"s:{number}" if sequences else f"a:{who}:{at.isoformat()}:{number}"
        found.append(Action(key, at, who, {}, "person", {name: change}))
    return found


@settings(deadline=None)  # a busy machine is no bug
@given(changes(), st.data())
def test_each_change_is_told_in_one_message_whatever_the_order(
    actions: list[Action], data: st.DataObject
) -> None:
    feed, again = TicketFeed(), data.draw(st.lists(st.sampled_from(actions), max_size=4))
    for action in data.draw(st.permutations([*actions, *again])):
        feed = msgspec.json.decode(msgspec.json.encode(feed), type=TicketFeed)
        feed.fold(action, None, WINDOW)
    told = Counter(key for item in feed.items.values() for key in item.actions)
    assert told == {action.key: 1 for action in actions}
    for item in feed.items.values():
        mine = [action for action in actions if action.key in item.actions]
        newest = {
            name: change for action in sorted(mine, key=_version) for name, change in action.changes.items()
        }
        shown_now = feed.content(item, WINDOW)
        assert {name: change.after for name, change in shown_now.changes.items()} == {
            name: change.after for name, change in newest.items()
        }
        assert shown_now.at == min(action.at for action in mine)
    assert feed.fold(actions[0], None, WINDOW) == []


def _version(action: Action) -> str:
    return next(iter(action.changes.values())).version


def test_a_change_waits_for_the_comment_that_may_tell_of_it() -> None:
    feed = feed_of("solved")
    feed.hears(solved())
    ((_, how),) = feed.tx.scheduled.items()
    assert how["due_at"] == NOW + timedelta(seconds=5)


def test_a_comment_made_with_changes_shows_them_too() -> None:
    feed = feed_of("commented", "solved")
    feed.hears(commented(0, **IN_ONE), solved(0.1, **IN_ONE))
    state = feed.state()
    (change,) = [item for item in state.items.values() if not item.reports]
    assert [each.name for each in state.comments_beside(change, timedelta(seconds=5))] == ["77"]
    content = state.content(state.items["77"], timedelta(seconds=5))
    assert (content.kind, content.happened()["others"], list(content.changes)) == (
        "commented",
        frozenset(),
        ["status"],
    )


@for_each("text", HOSTILE)
def test_what_strangers_wrote_in_a_changed_field_does_nothing(text: str) -> None:
    change = updated("subject_changed", ("subject", text[:10_000], text[:10_000]))
    told = shown(changes_of(change, ALL), {})
    for template in (None, "{{ changes }} {{ before }} {{ after }} {{ event }} {{ reason }}"):
        message = render(FeedLine("5", NOW, changes=told), Look("https://acme.example", template=template))
        assert dangers(message, allowed=set(), links={"https://acme.example"}) == []


def test_templates_get_the_facts_of_a_change() -> None:
    told = shown(changes_of(updated("priority_changed", ("priority", "low", "high")), ALL), {})
    look = Look("https://acme.example", template="{{ event }}: {{ before }} to {{ after }} ({{ changes }})")
    assert (
        render(FeedLine("5", NOW, changes=told), look).text == "priority: low to high (priority: low → high)"
    )
