"""What a feed message looks like (docs/rules.md N5 in today's form, docs/vendors/slack.md#message-form). Pure: facts
in, Slack's JSON out.

The one line of `text` stands alone, because screen readers and phones read nothing else; the attachment carries the
colour bar, the linked title, the organization and the comment.

Everything that came from a ticket is untrusted: it passes `clean` or `one_line`, is cut, and only then escaped, so that
no cut falls inside an entity (docs/vendors/slack.md#limits). `plain_text` objects need no escaping.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from notifier.policy.routing import FEED_COLOUR
from notifier.slack.message import Json, Message

TEXT_LIMIT = 3_000  # of `text`, and of one text object (docs/vendors/slack.md#limits)
NAME_LIMIT = 120
TITLE_LIMIT = 300
_STATUS_WORDS = {"hold": "On-hold"}  # Zendesk's own display text; the others are capitalised


ELLIPSIS = "…"
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
WIDEST = 5  # what the widest character, an escaped ampersand, takes
_ESCAPE_TABLE = str.maketrans(_ESCAPES)
# Controls that turn or hide the text around them: one line of a stranger must not rearrange the rest of ours.
_BIDI_CONTROLS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_DROPPED = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), *map(ord, _BIDI_CONTROLS), 0xFEFF))
_CLEANING = _DROPPED | {0x09: "\t", 0x0A: "\n", 0x85: "\n", 0x2028: "\n", 0x2029: "\n"}
_SURROGATES = re.compile("[\ud800-\udfff]")
_UNCLEAN = re.compile(
    "["
    + re.escape("".join(map(chr, sorted(_CLEANING.keys() - {0x09, 0x0A}))))
    + "\ud800-\udfff]|\n[ \t]*\n[ \t]*\n"
)
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


@dataclass(frozen=True)
class FeedLine:
    """The facts of one message; None is unknown or empty, and then simply not shown.

    `status` is the REST word (`open`, `hold`, …), `at` the moment of the update.
    """

    ticket_id: str
    at: datetime
    status: str | None = None
    person: str | None = None
    title: str | None = None
    organization: str | None = None
    comment: str | None = None


@dataclass(frozen=True)
class Look:
    """How a feed's messages look: ticket links begin with `base_url`, comments show `comment_length` characters."""

    base_url: str
    colour: str = FEED_COLOUR
    comment_length: int = 1_500


def render(line: FeedLine, look: Look) -> Message:
    """The message of one created ticket or one update with a comment."""
    headline, title = _headline(line), inline(line.title or "", TITLE_LIMIT)
    organization = inline(line.organization or "", NAME_LIMIT)
    number = f"Ticket #{inline(line.ticket_id, 40)}"
    url = ticket_url(look.base_url, line.ticket_id)
    shown = f"{headline}: {_link(url, number)}"
    shown += f" {title}" if title else ""
    shown += f" ({organization})" if organization else ""
    return Message(
        text=shown,
        attachments=[
            {"color": look.colour, "fallback": f"{headline}: {number}", "blocks": _blocks(line, look, url)}
        ],
    )


def ticket_url(base_url: str, ticket_id: str) -> str | None:
    """Where an agent opens the ticket, or None where no safe link can be made of it.

    Only https, or the configured address itself (the sandbox speaks plain http); an id that is not a number is not
    linked.
    """
    if not ticket_id.isascii() or not ticket_id.isdigit():
        return None
    url = quote(f"{base_url.rstrip('/')}/agent/tickets/{ticket_id}", safe=":/?&=%.-_~[]")
    return url if url.startswith(("https://", "http://")) else None


def _headline(line: FeedLine) -> str:
    """`STATUS ticket updated by PERSON` (N5), without what is not known."""
    status = _status(line.status)
    person = inline(line.person or "", NAME_LIMIT)
    return f"{f'{status} ticket' if status else 'Ticket'} updated{f' by {person}' if person else ''}"


def _status(word: str | None) -> str:
    text = inline(word or "", 40)
    return _STATUS_WORDS.get(text, text[:1].upper() + text[1:])


def _blocks(line: FeedLine, look: Look, url: str | None) -> list[Json]:
    title = label(f"#{line.ticket_id} {line.title or ''}", TITLE_LIMIT + 50)
    blocks = [_section({"type": "mrkdwn", "verbatim": True, "text": _link(url, title)})]
    if author := _author(line):
        blocks.insert(0, _context(author))
    if comment := cut(clean(line.comment or ""), min(look.comment_length, TEXT_LIMIT)):
        blocks.append(_section({"type": "plain_text", "emoji": False, "text": comment}))
    moment = f"{line.at:%Y-%m-%d %H:%M} UTC"
    blocks.append(
        _context(f"Zendesk · <!date^{int(line.at.timestamp())}^{{date_short_pretty}} {{time}}|{moment}>")
    )
    return blocks


def _author(line: FeedLine) -> str:
    organization, person = inline(line.organization or "", NAME_LIMIT), inline(line.person or "", NAME_LIMIT)
    parts = (
        f"*{organization}*" if organization else "",
        _status(line.status).lower(),
        f"updated by {person}" if person else "",
    )
    return " · ".join(part for part in parts if part)


def _link(url: str | None, shown: str) -> str:
    return f"<{url}|{shown}>" if url else shown


def _section(text: Json) -> Json:
    return {"type": "section", "text": text}


def _context(text: str) -> Json:
    return {"type": "context", "elements": [{"type": "mrkdwn", "verbatim": True, "text": text}]}


def clean(text: str) -> str:
    """Text of several lines without control characters, direction overrides and broken code points."""
    if not _UNCLEAN.search(text):
        return text.strip()
    lines = text.replace("\r\n", "\n").replace("\r", "\n").translate(_CLEANING)
    return _BLANK_LINES.sub("\n\n", _SURROGATES.sub("\ufffd", lines)).strip()


def one_line(text: str) -> str:
    """The same on one line, blanks collapsed: for names and titles."""
    return " ".join(clean(text).split())


def escape(text: str) -> str:
    """Text for a mrkdwn object: exactly `&`, `<` and `>` are escaped."""
    return text.translate(_ESCAPE_TABLE)


def cut(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, the last one an ellipsis when something was left out.

    Counts as the strictest reader would: a character outside the basic plane is two.
    """
    return _fitted(text, limit, _width)


def fit(text: str, limit: int) -> str:
    """`text` escaped, in at most `limit` characters *after* escaping; cut before it, so never inside an entity."""
    return escape(_fitted(text, limit, _escaped_width))


def inline(text: str, limit: int) -> str:
    """A stranger's name or title, ready to stand inside a line of ours."""
    return isolate(fit(one_line(text), limit - 2))


def label(text: str, limit: int) -> str:
    """The visible part of a `<url|label>` link."""
    return inline(text.replace("|", "¦"), limit)


def isolate(text: str) -> str:
    """Text with right-to-left letters, wrapped so that it cannot reorder its neighbours; other text as it is."""
    if not text.isascii() and any(unicodedata.bidirectional(c) in ("R", "AL") for c in text):
        return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}"
    return text


def _fitted(text: str, limit: int, width: Callable[[str], int]) -> str:
    if WIDEST * len(text) <= limit:
        return text
    room, fits = limit, 0
    for index, character in enumerate(text):
        room -= width(character)
        if room < 0:
            return text[:fits].rstrip() + ELLIPSIS
        if room >= 1:  # the ellipsis would still fit behind this one
            fits = index + 1
    return text


def _width(character: str) -> int:
    return 2 if character > "\uffff" else 1


def _escaped_width(character: str) -> int:
    return len(_ESCAPES.get(character, "")) or _width(character)
