"""What a feed message looks like (docs/rules.md N5 in today's form, docs/vendors/slack.md#message-form). Pure: facts
in, Slack's JSON out.

The one line of `text` stands alone, because screen readers and phones read nothing else; the attachment carries the
colour bar, the linked title, the organization and the comment.

Everything that came from a ticket is untrusted: it passes `clean` or `one_line`, is cut, and only then escaped, so that
no cut falls inside an entity (docs/vendors/slack.md#limits). `plain_text` objects need no escaping.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from notifier.changes.words import MOST_SHOWN, Shown, sentence, words
from notifier.policy.routing import FEED_COLOUR
from notifier.policy.templates import rendered, used
from notifier.slack.message import Json, Message
from notifier.slack.text import clean, cut, escape, fit, inline, isolate, label, one_line

TEXT_LIMIT = 3_000  # of `text`, and of one text object (docs/vendors/slack.md#limits)
NAME_LIMIT = 120
TITLE_LIMIT = 300
CHANGES_LIMIT = 500
_STATUS_WORDS = {"hold": "On-hold"}  # Zendesk's own display text; the others are capitalised


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
    names: Mapping[str, str | None] = field(default_factory=dict)
    """What only templates show: form, brand, group, priority, plan, region."""
    changes: tuple[Shown, ...] = ()
    event: str = ""
    """`created` or `commented`; empty where changes say what happened."""


@dataclass(frozen=True)
class Look:
    """How a feed's messages look: ticket links begin with `base_url`, comments show `comment_length` characters.

    `mention`: whom the message calls, ids of people and groups from the rules. `template`: the text instead of ours.
    """

    base_url: str
    colour: str = FEED_COLOUR
    comment_length: int = 1_500
    mention: tuple[str, ...] = ()
    template: str | None = None


def render(line: FeedLine, look: Look) -> Message:
    """The message of one created ticket, one update with a comment, or changes made at once."""
    headline, title = _headline(line), inline(line.title or "", TITLE_LIMIT)
    organization = inline(line.organization or "", NAME_LIMIT)
    number = f"Ticket #{inline(line.ticket_id, 40)}"
    url = ticket_url(look.base_url, line.ticket_id)
    shown = f"{headline}: {_link(url, number)}"
    shown += f" {title}" if title else ""
    shown += f" ({organization})" if organization else ""
    shown += f" — {fit(sentence(line.changes), CHANGES_LIMIT)}" if line.changes else ""
    blocks = _blocks(line, look, url)
    if look.template is not None:
        shown, blocks = _own_words(line, look, _link(url, number)), _blocks_below(line, look)
    return Message(
        text=mentions(look.mention) + shown,
        attachments=[{"color": look.colour, "fallback": f"{headline}: {number}", "blocks": blocks}],
    )


def mentions(wanted: Sequence[str]) -> str:
    """Whom a message calls, in Slack's own form; made of the rules' ids alone, never of a ticket's words."""
    forms = {"here": "<!here>", "channel": "<!channel>"}
    called = (
        forms.get(each) or (f"<!subteam^{each}>" if each[0] == "S" else f"<@{each}>") for each in wanted
    )
    return "".join(f"{each} " for each in called)


class _Ready(str):
    """A text that is escaped already: a link of ours."""


def _put_in(value: object) -> str:
    """How a template's value is put in (docs/vendors/slack.md#text)."""
    return value if isinstance(value, _Ready) else escape(str(value))


def _own_words(line: FeedLine, look: Look, ticket: str) -> str:
    """The rules' template, filled in. What is too long is said again with shorter values: no cut falls into a link."""
    for share in (1.0, 0.5, 0.25, 0.1, 0.0):
        values = _values(line, look, share) | {"ticket": _Ready(ticket)}
        shown = rendered(look.template or "", values, _put_in).strip()
        if len(shown) <= TEXT_LIMIT:
            return shown or ticket
    return ticket  # the template alone is too long for Slack


def _values(line: FeedLine, look: Look, share: float) -> dict[str, str]:
    texts: dict[str, str | None] = {
        "status": _status(line.status),
        "person": line.person,
        "organization": line.organization,
        **line.names,
    }
    values = {name: _short(text, int(NAME_LIMIT * share)) for name, text in texts.items()}
    comment = cut(clean(line.comment or ""), int(look.comment_length * share)) if share else ""
    title = _short(line.title, int(TITLE_LIMIT * share))
    values |= {name: _short(text, int(NAME_LIMIT * share)) for name, text in _happened(line).items()}
    values["changes"] = cut(sentence(line.changes), int(CHANGES_LIMIT * share)) if share else ""
    return values | {"ticket_id": _short(line.ticket_id, 40), "title": title, "comment": isolate(comment)}


def _happened(line: FeedLine) -> dict[str, str]:
    """The weightiest change, in parts; of a message that shows words the event alone."""
    event = ", ".join(dict.fromkeys(change.kind for change in line.changes))
    first = line.changes[0] if line.changes else Shown("commented", "")
    return {"event": event or line.event, "before": first.before, "after": first.after, "reason": first.note}


def _short(text: str | None, limit: int) -> str:
    return isolate(cut(one_line(text or ""), limit)) if limit else ""


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
    return blocks + _blocks_below(line, look)


def _blocks_below(line: FeedLine, look: Look) -> list[Json]:
    """The comment, where a template does not show it itself, and the moment."""
    blocks: list[Json] = []
    if line.changes and not (look.template and "changes" in used(look.template)):
        text = "\n".join(words(change) for change in line.changes[:MOST_SHOWN])
        blocks.append(_section({"type": "plain_text", "emoji": False, "text": text}))
    comment = "" if look.template and "comment" in used(look.template) else line.comment or ""
    if comment := cut(clean(comment), min(look.comment_length, TEXT_LIMIT)):
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
