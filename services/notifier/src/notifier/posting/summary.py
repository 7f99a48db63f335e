"""The one message that stands for many lines: how many, of which tickets, with links. Decided anew when it is due."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from notifier.posting.prepared import Note, Prepared, note_of, note_row
from notifier.slack.message import Json, Message
from notifier.slack.text import escape, inline
from supportops.delivery.destination import Cancel, Delivery, Outcome

MOST_SHOWN = 40  # tickets in the list; the others are counted
_COLOUR = "#4AACD8"


@dataclass(frozen=True)
class TicketLink:
    """A ticket as a summary shows it: by number alone, so that nothing need be taken back later.

    `url` is None where no safe link can be made.
    """

    ticket_id: str
    url: str | None
    status: str


class Tickets(Protocol):
    """Which tickets may be shown now."""

    async def still_shown(self, ticket_ids: Sequence[str], feeds: Sequence[str]) -> Mapping[str, TicketLink]:
        """Those that belong to one of the feeds by what Zendesk says now, by id."""
        ...


class SummarySource:
    """Makes summaries."""

    def __init__(self, tickets: Tickets) -> None:
        self._tickets = tickets

    async def prepare(self, delivery: Delivery) -> Prepared | Outcome:
        note = note_of(delivery.payload) or Note("", "")
        counts: dict[str, int] = note.data["tickets"]
        wanted = sorted(counts, key=lambda ticket: (-counts[ticket], int(ticket)))
        listed = wanted[:MOST_SHOWN]
        shown = await self._tickets.still_shown(listed, note.data["feeds"])
        if not shown and len(wanted) <= MOST_SHOWN:
            return Cancel("none of its tickets belongs here any more")
        links = [(shown[ticket], counts[ticket]) for ticket in listed if ticket in shown]
        left_out = len(listed) - len(links)
        message = _message(note.data, counts, links, left_out)
        return Prepared(message, note_row(note, delivery.lane) | {"digest": message.digest})

    async def found(self, delivery: Delivery) -> Prepared | Outcome:
        note = note_of(delivery.payload) or Note("", "")
        return Prepared(Message("", []), note_row(note, delivery.lane))


def _message(
    data: Mapping[str, Any], counts: Mapping[str, int], links: Sequence[tuple[TicketLink, int]], left_out: int
) -> Message:
    lines, more = sum(counts.values()), len(counts) - len(links) - left_out
    headline = f"{_many(lines, 'update')} of {_many(len(counts), 'ticket')} in one message: {data['why']}"
    rest = [f"and {_many(more, 'more ticket')}"] if more else []
    rest += [f"{_many(left_out, 'ticket')} not shown here any more"] if left_out else []
    blocks: list[Json] = []
    rows = [_row(link, count) for link, count in links]
    rows += [" · ".join(rest)] if rest else []
    for start in range(0, len(rows), 10):  # ten rows stay within a text object's 3,000 characters
        text = "\n".join(rows[start : start + 10])
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "verbatim": True, "text": text}})
    return Message(escape(headline), [{"color": _COLOUR, "fallback": escape(headline), "blocks": blocks}])


def _row(link: TicketLink, count: int) -> str:
    number = f"#{inline(link.ticket_id, 40)}"
    number = f"<{link.url}|{number}>" if link.url else number
    times = f" ×{count}" if count > 1 else ""  # noqa: RUF001  # the sign of "times"
    return f"{number}{times} ({inline(link.status, 40)})"


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
