"""Every kind of line that an answer has, with what strangers write in it: text it stays."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from notifier.bot.context import BotContext
from notifier.bot.csat import Share
from notifier.bot.figures import count_words, matching, share_words, silence
from notifier.bot.parts import LONGEST, answer, line, linked, ours, span, told
from notifier.bot.tickets import breaching_line, story_lines, ticket_lines
from notifier.breaches.repository import Breaching
from notifier.feeds.render import ticket_url
from supportops.operations.timeline import Explanation, Line
from supportops.vendors.zendesk import Ticket
from tests.support.for_each import for_each
from tests.unit.notifier.hostile import HOSTILE, dangers

NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
BASE = "https://a.zendesk.com"
MINUTE = timedelta(minutes=1)


@dataclass
class Context:
    """As much of a context as lines need."""

    base_url: str = BASE
    now: datetime = NOW
    hidden: set[str] = field(default_factory=set)

    async def may_be_shown(self, ticket: Ticket) -> bool:
        return ticket.id not in self.hidden


@for_each("text", HOSTILE)
async def test_what_strangers_write_stays_text(text: str) -> None:
    found = Ticket.model_validate(
        {"id": 5, "status": "open", "subject": text, "updated_at": NOW, "priority": text}
    )
    story = Explanation(known=True, standing={text: text}, lines=[Line(NOW, text, text)], document={})
    message = answer(
        told(text),
        line(ours("• "), linked(ticket_url(BASE, "5"), text)),
        linked(ticket_url(BASE, text), text),
        *await ticket_lines(cast("BotContext", Context()), [found]),
        *story_lines(story),
    )
    assert dangers(message, allowed=set(), links={f"{BASE}/agent/tickets/5"}) == []
    assert len(message.text) <= LONGEST + 40


async def test_tickets_that_may_not_be_shown_are_counted_alone() -> None:
    rows = [
        Ticket.model_validate(
            {"id": number, "status": "open", "subject": f"s{number}", "updated_at": NOW - MINUTE}
        )
        for number in (1, 2, 3)
    ]
    context = cast("BotContext", Context(hidden={"2", "3"}))
    assert await ticket_lines(context, rows) == [
        f"• <{BASE}/agent/tickets/1|#1 s1> · open · changed 1m ago",
        "2 of a kind that Slack never sees.",
    ]
    assert await ticket_lines(context, []) == ["It is empty."]


def test_a_long_answer_says_what_it_leaves_out() -> None:
    shown = answer(*(ours("x" * 99) for _ in range(50))).text.splitlines()
    assert len(shown) == 39
    assert shown[-1] == "… and 12 more lines"


def test_a_long_story_says_what_it_leaves_out() -> None:
    lines = [Line(NOW + number * MINUTE, f"step {number}", "") for number in range(15)]
    shown = story_lines(Explanation(known=True, standing={}, lines=lines, document={}))
    assert shown[0] == "(3 earlier lines: `notifier explain`)"
    assert [each.rsplit(" ", 1)[-1] for each in shown[1:]] == [str(number) for number in range(3, 15)]
    nothing = story_lines(Explanation(known=False, standing={"ticket": "x"}, lines=[], document={}))
    assert nothing == ["Nothing was said of it, and nothing waits."]


SOON = Breaching("5", "Down & out", "first_reply_time", NOW + 125 * MINUTE, "premium", "3", NOW, None)


@for_each(
    "values, words",
    [
        ({}, "2h 5m left · first reply time"),
        ({"breach_at": NOW}, "breached 0s ago · first reply time"),
        ({"breach_at": NOW - MINUTE}, "breached 1m ago · first reply time"),
        ({"taken_by": "U0ADA"}, "somebody has taken it"),
        ({"read_at": NOW - 3 * MINUTE}, "Down &amp; out>"),
        ({"read_at": NOW - 4 * MINUTE}, "as of 4m ago"),
        ({"metric": "<!here>"}, "&lt;!here&gt;"),
    ],
)
def test_what_breaches_next_comes_with_the_time_left(values: dict[str, Any], words: str) -> None:
    shown = breaching_line(cast("BotContext", Context()), replace(SOON, **values), NOW)
    assert words in shown
    assert ("as of" in shown) is ("as of" in words)
    assert f"<{BASE}/agent/tickets/5|#5 Down &amp; out>" in shown


def row(**values: Any) -> dict[str, Any]:
    usual = {"title": "T", "asked_at": NOW - 40 * timedelta(seconds=1), "readable": True, "value": 12}
    return usual | {"fresh": True, "fresh_at": NOW} | values


@for_each(
    "values, words",
    [
        ({}, "12 · 40s ago"),
        ({"value": 0}, "0 · 40s ago"),
        ({"asked_at": None}, "not counted yet"),
        ({"readable": False}, "Zendesk does not show this view to me · asked 40s ago"),
        ({"value": None, "fresh": False}, "unknown: Zendesk is still counting · asked 40s ago"),
        ({"fresh": False, "fresh_at": NOW - 25 * MINUTE}, "12 · not fresh: it was so 25m ago"),
        (
            {"fresh": False, "fresh_at": None},
            "12 · not fresh: Zendesk does not say from when · asked 40s ago",
        ),
    ],
)
def test_a_count_says_how_old_and_how_sure_it_is(values: dict[str, Any], words: str) -> None:
    assert count_words(row(**values), NOW) == words


def test_figures_that_nobody_renews_are_said_to_be_old() -> None:
    assert silence([row(asked_at=NOW - 3 * MINUTE), row(asked_at=None)], NOW, MINUTE) is None
    assert (
        silence([row(asked_at=NOW - 8 * MINUTE)], NOW, MINUTE) == "Careful: Zendesk has not answered for 8m."
    )
    assert silence([row(asked_at=None)], NOW, MINUTE) is None


@for_each(
    "name, found",
    [
        ("UNSOLVED", ["Unsolved"]),
        ("unsolved  in", ["Unsolved in Berlin"]),
        ("x", []),
        ("berlin", ["Unsolved in Berlin"]),
    ],
)
def test_a_view_is_found_by_its_name_or_a_part_of_it(name: str, found: list[str]) -> None:
    rows = [row(title="Unsolved"), row(title="Unsolved in Berlin"), row(title="New")]
    assert [each["title"] for each in matching(rows, name)] == found


@for_each(
    "share, words",
    [
        (
            Share(52, 50, 0.87, 0.99, 50 / 52, 0.95, True),
            "96.2% of 52 ratings (95 % interval 87% to 99%) · target 95% · reached",
        ),
        (
            Share(4, 2, 0.15, 0.85, 0.5, 0.95, False),
            "50.0% of 4 ratings (95 % interval 15% to 85%) · target 95% · not reached",
        ),
        (Share(0, 0, 0, 0, None, 0.95, None), "No ratings yet · target 95%"),
        (Share(0, 0, 0, 0), "No ratings yet"),
    ],
)
def test_a_share_comes_with_its_n_and_target(share: Share, words: str) -> None:
    assert share_words(share, "ratings", "No ratings yet") == words


@for_each(
    "seconds, words",
    [(0, "0s"), (-5, "0s"), (40, "40s"), (60, "1m"), (3_700, "1h 1m"), (3_605, "1h"), (200_000, "2d 7h")],
)
def test_a_length_of_time_has_its_two_largest_units(seconds: int, words: str) -> None:
    assert span(timedelta(seconds=seconds)) == words
