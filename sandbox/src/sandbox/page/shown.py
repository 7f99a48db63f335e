"""What the page shows of each stand-in: plain texts, newest first."""

import re
from dataclasses import dataclass, field
from typing import Any

from sandbox.gitlab.records import BOT, Issue
from sandbox.slack.mentions import mentions_of
from sandbox.slack.workspace import Channel
from sandbox.world import World
from sandbox.zendesk.records import Rating, Ticket

NEWEST = 25
LONGEST = 400
_LINK = re.compile(r"<([^|<>]+)\|([^<>]+)>")
_BARE = re.compile(r"<([^|<>]+)>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


@dataclass(frozen=True, slots=True)
class TicketRow:
    id: int
    subject: str
    status: str
    priority: str
    organization: str
    form: str
    tags: list[str]
    rating: str
    comments: int
    latest: str
    latest_by: str
    latest_public: bool


@dataclass(frozen=True, slots=True)
class MessageRow:
    at: str
    text: str
    lines: list[str]
    color: str
    mentions: list[str]
    edited: bool
    reply: bool


@dataclass(frozen=True, slots=True)
class ChannelRow:
    id: str
    name: str
    total: int
    messages: list[MessageRow] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class IssueRow:
    """`happened`: what its texts set off, in words; nothing, unless somebody meant it or was careless."""

    reference: str
    title: str
    state: str
    confidential: bool
    labels: list[str]
    description: str
    happened: list[str]
    notes: list[str]


def plain(text: str) -> str:
    """mrkdwn as a reader sees it: links by their label, the three entities undone."""
    text = _BARE.sub(r"\1", _LINK.sub(r"\2", text))
    for entity, char in _ENTITIES:
        text = text.replace(entity, char)
    return text


def tickets(world: World) -> list[TicketRow]:
    newest = sorted(world.zendesk.account.records.tickets.values(), key=lambda t: -t.generated_at)
    return [_ticket(world, ticket) for ticket in newest[:NEWEST]]


def channels(world: World) -> list[ChannelRow]:
    """Those with messages."""
    used = [c for c in world.workspace.channels.values() if c.messages]
    return [ChannelRow(c.id, c.name, len(c.messages), _messages(c)) for c in used]


def records(world: World) -> list[tuple[str, int, list[dict[str, Any]]]]:
    """Objects with records that came by the API, newest first."""
    shown = []
    for table in world.org.tables.values():
        rows = sorted(table.live(), key=lambda row: str(row["LastModifiedDate"]), reverse=True)
        shown.append((table.sobject.name, len(rows), [_filled(row) for row in rows[:NEWEST]]))
    return sorted(shown, key=lambda item: not item[0].endswith("__c"))


def issues(world: World) -> list[IssueRow]:
    """Those that came by the API, newest first."""
    site = world.gitlab.records
    found = [issue for project in site.projects.values() for issue in project.issues.values()]
    newest = sorted((i for i in found if i.author_id == BOT), key=lambda i: -i.created)
    return [_issue(issue, site.projects[issue.project_id].path) for issue in newest[:NEWEST]]


def _issue(issue: Issue, project: str) -> IssueRow:
    happened = [" ".join(str(value) for value in each.values()) for each in issue.happened]
    notes = [note.body[:LONGEST] for note in issue.notes]
    return IssueRow(
        f"{project}#{issue.iid}",
        issue.title,
        issue.state,
        issue.confidential,
        issue.labels,
        issue.description[:LONGEST],
        happened,
        notes,
    )


def _ticket(world: World, ticket: Ticket) -> TicketRow:
    held = world.zendesk.account.records
    organization = held.organizations.get(ticket.organization_id or 0)
    form = held.forms.get(ticket.ticket_form_id or 0)
    last = ticket.comments[-1] if ticket.comments else None
    author = held.users.get(last.author_id) if last else None
    return TicketRow(
        ticket.id,
        ticket.subject,
        ticket.status,
        ticket.priority or "",
        organization.name if organization else "no organization",
        form.name if form else "",
        ticket.tags,
        ticket.satisfaction.score if isinstance(ticket.satisfaction, Rating) else "",
        len(ticket.comments),
        last.body[:240] if last else "",
        author.name if author else "",
        last.public if last else True,
    )


def _messages(channel: Channel) -> list[MessageRow]:
    return [_message(message) for message in channel.messages[::-1][:NEWEST]]


def _message(message: dict[str, Any]) -> MessageRow:
    attachments = message.get("attachments") or []
    color = str(attachments[0].get("color") or "") if attachments else ""
    return MessageRow(
        message["ts"],
        plain(str(message.get("text") or "")),
        _texts(attachments) + _texts(message.get("blocks") or []),
        color if re.fullmatch(r"#[0-9A-Fa-f]{6}", color) else "#9aa5b1",
        mentions_of(message),
        "edited" in message,
        message.get("thread_ts") not in (None, message["ts"]),
    )


def _texts(value: Any) -> list[str]:
    """Every text inside attachments and blocks, in order."""
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if not isinstance(value, dict):
        return []
    if value.get("type") == "plain_text":  # shown as it is: nothing in it is markup
        return [str(value.get("text", ""))[:LONGEST]]
    found = []
    for key in ("pretext", "author_name", "title", "text", "fields", "elements", "blocks", "value", "footer"):
        inner = value.get(key)
        found += [plain(inner)[:LONGEST]] if isinstance(inner, str) and inner else _texts(inner)
    return found


def _filled(row: dict[str, Any]) -> dict[str, Any]:
    hidden = ("IsDeleted", "CreatedDate", "SystemModstamp", "LastModifiedDate")
    return {key: value for key, value in row.items() if value is not None and key not in hidden}
