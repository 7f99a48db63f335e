"""One message per comment: whatever the order, the road and the number of the events."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.feeds.merge import FIRST, KEPT, Action, CommentReport, Content, Fact, Item, TicketFeed
from tests.support.for_each import for_each

WINDOW = timedelta(seconds=5)
T0 = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
Event = tuple[Action, CommentReport | None]


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def happened(
    seconds: float, *, sequence: str | None = None, actor: str | None = "ada", version: str = "", **facts: Any
) -> Action:
    key = f"s:{sequence}" if sequence else f"a:{actor}:{at(seconds).isoformat()}"
    newest = version or f"{seconds:09.3f}"
    return Action(key, at(seconds), actor, {name: Fact(newest, value) for name, value in facts.items()})  # type: ignore[misc]  # names of fields


def comment(action: Action, number: str, **reports: Any) -> Event:
    reports = {"public": True, "person_id": action.actor} | reports
    return action, CommentReport(action.key, action.at, comment_id=number, **reports)


def created(action: Action, **reports: Any) -> Event:
    return action, CommentReport(
        action.key, action.at, **({"public": True, "person_id": action.actor} | reports)
    )


def fold(events: Iterable[Event]) -> tuple[TicketFeed, list[Item]]:
    """The feed after the events, stored and read back after each, and every message that changed on the way."""
    feed, changed = TicketFeed(), []
    for action, report in events:
        feed = msgspec.json.decode(msgspec.json.encode(feed), type=TicketFeed)
        changed += feed.fold(action, report, WINDOW)
    return feed, changed


def contents(feed: TicketFeed) -> dict[str, Content]:
    return {name: feed.content(item, WINDOW) for name, item in feed.items.items()}


def test_the_first_event_of_an_action_makes_the_message_and_the_rest_is_folded_in() -> None:
    feed, changed = fold(
        [
            comment(happened(0, sequence="1", status="open"), "77"),
            (happened(0.4, sequence="1", status="solved"), None),
        ]
    )
    assert [(item.name, item.revision) for item in changed] == [("77", 1), ("77", 2)]
    assert contents(feed)["77"].facts["status"] == "solved"


def test_a_change_without_a_comment_makes_no_message() -> None:
    feed, changed = fold([(happened(0, sequence="1", status="solved"), None)])
    assert (feed.items, changed) == ({}, [])


def test_what_came_before_the_comment_is_in_its_message_at_once() -> None:
    feed, changed = fold(
        [
            (happened(0.4, sequence="1", status="solved"), None),
            comment(happened(0, sequence="1", status="open"), "77"),
        ]
    )
    assert [(item.name, item.revision) for item in changed] == [("77", 1)]
    assert contents(feed)["77"].facts["status"] == "solved"


@for_each(
    "later, status",
    [
        (happened(4, actor="ada", status="solved"), "solved"),
        (happened(6, actor="ada", status="solved"), "open"),
        (happened(1, actor="bob", status="solved"), "open"),
        (happened(1, actor=None, status="solved"), "open"),
        (happened(1, actor="ada", sequence="9", status="solved"), "solved"),
    ],
)
def test_without_a_sequence_the_same_person_within_the_window_is_one_action(
    later: Action, status: str
) -> None:
    feed, _ = fold([comment(happened(0, status="open"), "77"), (later, None)])
    assert contents(feed)["77"].facts["status"] == status


def test_with_sequences_only_the_same_one_is_one_action() -> None:
    first = comment(happened(0, sequence="1", status="open"), "77")
    feed, changed = fold([first, (happened(1, sequence="2", status="solved"), None)])
    assert contents(feed)["77"].facts["status"] == "open"
    assert len(changed) == 1
    feed, _ = fold([first, (happened(500, sequence="1", status="solved"), None)])
    assert contents(feed)["77"].facts["status"] == "solved"


def test_an_older_event_of_the_action_changes_nothing() -> None:
    feed, changed = fold(
        [
            comment(happened(0, sequence="1", version="b", status="solved"), "77"),
            (happened(0, sequence="1", version="a", status="open"), None),
        ]
    )
    assert len(changed) == 1
    assert contents(feed)["77"].facts["status"] == "solved"


def test_two_comments_are_two_messages_even_of_one_person_at_once() -> None:
    feed, _ = fold([comment(happened(0), "77"), comment(happened(1), "78")])
    assert set(feed.items) == {"77", "78"}


CREATION = created(happened(0, sequence="1", actor="eve", status="new"))
SAME_SEQUENCE = comment(happened(0.2, sequence="1", actor="eve", status="new"), "70")
BY_TEXT = comment(happened(0.2, actor="eve", status="new"), "70", echo=True)
BY_MOMENT = comment(happened(1, actor="eve", status="new"), "70")


@for_each("first_comment", [SAME_SEQUENCE, BY_TEXT, BY_MOMENT])
@for_each("reverse", [False, True])
def test_a_creation_and_its_first_comment_are_one_message(first_comment: Event, reverse: bool) -> None:
    events = [CREATION, first_comment]
    feed, changed = fold(reversed(events) if reverse else events)
    assert len(feed.items) == 1
    assert {item.name for item in changed} == set(feed.items)
    assert next(iter(contents(feed).values())).comment_id == "70"


def test_the_export_tells_of_the_same_comments_and_nothing_is_said_twice() -> None:
    native = [CREATION, SAME_SEQUENCE, comment(happened(60, sequence="2", status="open"), "71")]
    export = [created(happened(0, actor="eve", status="open")), comment(happened(0, actor="eve"), "70")]
    export.append(comment(happened(60, actor="ada"), "71"))
    assert len(fold([*native, *export])[0].items) == 2
    assert len(fold([*export, *native])[0].items) == 2


def test_another_comment_right_after_the_creation_is_a_message_of_its_own() -> None:
    second = comment(happened(1, sequence="2", actor="eve"), "71")
    assert len(fold([CREATION, SAME_SEQUENCE, second])[0].items) == 2
    assert len(fold([second, SAME_SEQUENCE, CREATION])[0].items) == 2
    assert len(fold([CREATION, second])[0].items) == 2
    assert len(fold([second, CREATION])[0].items) == 2


def test_private_wins_over_public_whatever_comes_first() -> None:
    public, private = (
        comment(happened(0, sequence="1"), "77"),
        comment(happened(9, sequence="2"), "77", public=False),
    )
    for events in ([public, private], [private, public]):
        feed, _ = fold(events)
        assert contents(feed)["77"].public is False


def test_a_redaction_is_a_change_for_the_readers() -> None:
    action = happened(9, sequence="2")
    redaction = (action, CommentReport(action.key, action.at, comment_id="77", redacted=True))
    feed, changed = fold([comment(happened(0, sequence="1"), "77", text="secret"), redaction])
    assert contents(feed)["77"].redacted is True
    assert changed[-1].revision == 2


def test_a_change_that_no_reader_sees_does_not_raise_the_revision() -> None:
    feed, changed = fold(
        [
            comment(happened(0, sequence="1", tags=["a"]), "77"),
            (happened(1, sequence="1", tags=["a", "b"]), None),
        ]
    )
    assert [item.revision for item in changed] == [1, 1]
    assert contents(feed)["77"].tags() == frozenset({"a", "b"})


def test_absent_is_unknown_and_null_is_empty() -> None:
    feed, _ = fold([comment(happened(0, organization_id=None), "77")])
    content = contents(feed)["77"]
    assert content.knows("organization_id")
    assert content.text_of("organization_id") is None
    assert not content.knows("tags")
    assert content.tags() is None
    assert content.completed({"tags": ["a"], "organization_id": "5"}).facts == {
        "tags": ["a"],
        "organization_id": None,
    }


def test_a_ticket_remembers_so_many_messages_and_no_more() -> None:
    feed, _ = fold(comment(happened(n * 60, sequence=str(n)), str(1000 + n)) for n in range(KEPT + 5))
    assert (len(feed.items), len(feed.actions)) == (KEPT, KEPT)
    assert str(1000) not in feed.items


# --- permutations -----------------------------------------------------------------------------------------------------

STATUSES = ("open", "pending", "solved")


@st.composite
def days(draw: st.DrawFn) -> list[Event]:
    """A ticket's creation and some actions of agents, each with its events: as Zendesk's own events tell of them."""
    sequences = draw(st.booleans())
    opening = happened(0, sequence="0" if sequences else None, actor="eve", status="new", title="Help")
    events: list[Event] = [created(opening)]
    if draw(st.booleans()):
        events.append(comment(opening, "100", echo=True, person="Eve"))
    for number in range(1, draw(st.integers(1, 4))):
        events += draw(actions(number, sequences))
    return events


@st.composite
def actions(draw: st.DrawFn, number: int, sequences: bool) -> list[Event]:
    begins, sequence = number * 60.0, str(number) if sequences else None
    person, status = draw(st.sampled_from(["ada", "bob"])), draw(st.sampled_from(STATUSES))

    def part(position: int) -> Action:
        version = f"{number:03d}/{position}"
        return happened(
            begins + position / 10, sequence=sequence, actor=person, version=version, status=status
        )

    reports: list[Event] = [(part(position), None) for position in range(1, draw(st.integers(1, 3)))]
    if draw(st.booleans()):
        reports.append(comment(part(0), str(100 + number), person=person.title(), public=draw(st.booleans())))
    return reports


@settings(deadline=None)  # a busy machine is no bug
@given(days(), st.data())
def test_duplicates_and_shuffles_end_in_the_same_messages(events: list[Event], data: st.DataObject) -> None:
    straight, _ = fold(events)
    again = data.draw(st.lists(st.sampled_from(events), max_size=5))
    shuffled, changed = fold(data.draw(st.permutations([*events, *again])))
    assert by_comment(contents(shuffled)) == by_comment(contents(straight))
    revisions = Counter((item.name, item.revision) for item in changed)
    assert all(item.revision >= 1 for item in changed)
    assert {name for name, _ in revisions} == set(shuffled.items)


@settings(deadline=None)  # a busy machine is no bug
@given(days(), st.data())
def test_a_duplicate_changes_nothing(events: list[Event], data: st.DataObject) -> None:
    feed, _ = fold(events)
    action, report = data.draw(st.sampled_from(events))
    assert feed.fold(action, report, WINDOW) == []


def by_comment(found: dict[str, Content]) -> Sequence[Content]:
    return sorted(found.values(), key=lambda content: (content.comment_id or FIRST, content.at))
