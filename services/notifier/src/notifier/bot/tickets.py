"""The answers about tickets: the story of one, who is breached next, and what waits for who asks."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from notifier.bot.context import BotContext, NoAnswer, asking
from notifier.bot.gate import Person
from notifier.bot.parts import NAME, Words, answer, line, linked, listed, moment, ours, span, told
from notifier.breaches.repository import Breaching, breached, breaching
from notifier.feeds.render import ticket_url
from notifier.slack.message import Message
from supportops.operations.timeline import Explanation
from supportops.vendors.zendesk import Ticket

_ID = re.compile(r"#?([0-9]{1,20})")
_PLACE = re.compile(r"(?:https?://)?([^/]+)/(?:agent/)?tickets/([0-9]{1,20})(?:[/?#].*)?", re.IGNORECASE)
LAST = 12  # lines of a story
NEXT, LAST_BREACHED = 10, 3
OLD = timedelta(minutes=3)  # a reading that is older says so
UNSHOWN = "There is nothing to show: I do not know that ticket, or it is of a kind that Slack never sees."


async def ticket(context: BotContext, argument: str) -> Message:
    """What became of a ticket here: what was said where and why not, and what waits. No customer's words."""
    number = number_of(argument, context.base_url)
    if number is None:
        raise NoAnswer("Which one? Ask `ticket 12345`.")
    with asking("Zendesk, which says whether a ticket may be shown,"):
        found = await context.zendesk.ticket(number)
        shown = found is not None and await context.may_be_shown(found)
    if found is None or not shown:
        raise NoAnswer(UNSHOWN)
    async with context.store.reading() as conn:
        story = await context.story(conn, number, context.now, False)  # without customers' words
    return answer(_ticket_line(context, found), *story_lines(story))


def number_of(argument: str, base_url: str) -> str | None:
    """The number of a ticket that somebody names, also by its address in our Zendesk; None: it is neither."""
    said = argument.rstrip("?!.,")
    if (number := _ID.fullmatch(said)) is not None:
        return number[1]
    place = _PLACE.fullmatch(said)
    return place[2] if place is not None and place[1].lower() == urlsplit(base_url).netloc else None


def story_lines(story: Explanation) -> list[Words]:
    """How things stand, and the last that happened."""
    if not story.known:
        return [ours("Nothing was said of it, and nothing waits.")]
    standing = [
        line(ours("• "), told(name, NAME), ours(": "), told(said, 300))
        for name, said in story.standing.items()
    ]
    left_out = max(0, len(story.lines) - LAST)
    happened = [
        line(
            moment(each.at),
            ours(" "),
            listed([told(each.what), told(each.detail, 300) if each.detail else ours("")]),
        )
        for each in story.lines[-LAST:]
    ]
    before = [ours(f"({left_out} earlier lines: `notifier explain`)")] if left_out else []
    return [*standing, *before, *happened]


async def next_to_breach(context: BotContext) -> Message:
    """The next targets to breach, with the time that is left; above them how much is breached, and what was last."""
    now = context.now
    async with context.store.reading() as conn:
        number, late = await breached(conn, now, LAST_BREACHED)
        found = await breaching(conn, now, NEXT)
    if not found and not number:
        return answer(ours("No target of a watched ticket runs."))
    noun = "ticket is" if number == 1 else "tickets are"
    above = [ours(f"{number} {noun} breached already; the last targets:")] if number else []
    coming = f"The next {len(found)} to breach:" if found else "No other target runs."
    lines = [[breaching_line(context, each, now) for each in some] for some in (late, found)]
    return answer(*above, *lines[0], ours(coming), *lines[1])


async def mine(context: BotContext, person: Person) -> Message:
    """What waits for an agent and is assigned to who asks, the longest untouched first."""
    email = context.email_of(person)
    if email is None:
        raise NoAnswer(
            "I do not know your e-mail address: `notifier.notices.people` or the scope users:read.email says it."
        )
    with asking("Zendesk"):
        found = await context.zendesk.lists.assigned_to(email, context.rules.rows)
        if not found:
            return answer(ours("Nothing that waits is assigned to you."))
        return answer(
            ours("Assigned to you, the longest untouched first:"), *await ticket_lines(context, found)
        )


async def ticket_lines(context: BotContext, tickets: Sequence[Ticket]) -> list[Words]:
    """A line for each ticket that may be shown, and how many may not."""
    shown = [each for each in tickets if await context.may_be_shown(each)]
    lines = [line(ours("• "), _ticket_line(context, each)) for each in shown]
    if hidden := len(tickets) - len(shown):
        lines.append(ours(f"{hidden} of a kind that Slack never sees."))
    return lines or [ours("It is empty.")]


def _ticket_line(context: BotContext, found: Ticket) -> Words:
    name = linked(ticket_url(context.base_url, found.id), f"#{found.id} {found.subject or ''}")
    touched = line(ours("changed "), span(context.now - found.updated_at), ours(" ago"))
    return listed(
        [name, told(found.status, 40), told(found.priority, 40) if found.priority else ours(""), touched]
    )


def breaching_line(context: BotContext, found: Breaching, now: datetime) -> Words:
    """A target with the time that is left, or since when it is breached."""
    name = linked(ticket_url(context.base_url, found.ticket_id), f"#{found.ticket_id} {found.subject}")
    left = found.breach_at - now
    time = (
        line(span(left), ours(" left"))
        if left > timedelta()
        else line(ours("breached "), span(-left), ours(" ago"))
    )
    age = now - found.read_at
    old = line(ours("as of "), span(age), ours(" ago")) if age > OLD else ours("")
    taken = ours("somebody has taken it") if found.taken_by else ours("")
    metric = told(found.metric.replace("_", " "), 60)
    return line(ours("• "), listed([time, metric, name, taken, old]))
