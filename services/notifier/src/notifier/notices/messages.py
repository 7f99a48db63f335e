"""What notices say, made when they are posted: the ticket is read again, and one that is secret by then is not told."""

from collections.abc import Mapping, Sequence
from typing import Any

from notifier.feeds.context import MessageContext
from notifier.feeds.render import NAME_LIMIT, TITLE_LIMIT, ticket_url
from notifier.notices.held import held
from notifier.notices.payloads import RATING, SUCCESS, TAM
from notifier.policy.notices import NoticesPolicy
from notifier.posting.prepared import Note, Prepared, note_of, note_row
from notifier.posting.silences import Silences
from notifier.slack.message import Json, Message
from notifier.slack.text import clean, cut, escape, inline
from supportops.delivery.destination import Cancel, Delivery, Outcome
from supportops.vendors.zendesk import Organization, Ticket

_MOOT = frozenset({"pending", "solved", "closed"})
GREEN, ORANGE = "#3A7D44", "#FC6D27"
FIELDS = 10  # of one section block
COMMENT_LIMIT = 1_500
Fields = Sequence[tuple[str, str]]


class TicketNotes:
    """Makes the notices about a ticket: account manager, bad rating, customer success."""

    def __init__(self, context: MessageContext, policy: NoticesPolicy, silences: Silences) -> None:
        self._context, self._policy, self._silences = context, policy, silences

    async def prepare(self, delivery: Delivery) -> Prepared | Outcome:
        note, context = note_of(delivery.payload) or Note("", ""), self._context
        ticket = (await context.lookups.tickets([note.ticket_id])).get(note.ticket_id)
        if ticket is None:
            return Cancel("the ticket is gone")
        form = await context.lookups.form_of(ticket)
        if form is None or context.policy.is_secret(form):
            return Cancel("the ticket's form may not be shown")
        if note.kind == SUCCESS and ticket.status in _MOOT:
            return Cancel(f"the ticket is {ticket.status} by now")
        silence = await self._silences.of(
            rule=note.kind, ticket_id=note.ticket_id, organization_id=ticket.organization_id
        )
        if silence is not None:
            return held(delivery, note, silence)
        organization = await context.lookups.organization(ticket.organization_id)
        message = self._message(note, ticket, organization)
        return Prepared(message, note_row(note, delivery.lane) | {"digest": message.digest})

    async def found(self, delivery: Delivery) -> Prepared | Outcome:
        return Prepared(Message("", []), note_row(note_of(delivery.payload) or Note("", ""), delivery.lane))

    def _message(self, note: Note, ticket: Ticket, organization: Organization | None) -> Message:
        name = organization.name if organization else ""
        if note.kind == TAM:
            headline = f"New ticket of {_or(note.data['account'] or name, 'one of your accounts')}"
            return self._laid_out(headline, ticket, self._policy.account_manager.colour, [])
        if note.kind == RATING:
            reason = [("Reason", str(note.data["reason"]))]
            colour = self._policy.ratings.colour if self._policy.ratings else ORANGE
            headline = f"Bad rating from {_or(name, 'a customer')}"
            return self._laid_out(headline, ticket, colour, reason, str(note.data["comment"]))
        return self._success(note, ticket, organization)

    def _success(self, note: Note, ticket: Ticket, organization: Organization | None) -> Message:
        """N6, in its own words and colour."""
        rule, fields = self._policy.success, (organization.organization_fields or {}) if organization else {}
        name = _or(organization.name if organization else "", "a customer")
        headline = f"A ticket from {name} {note.data['why']}"
        shown = [("Priority", (ticket.priority or "none").capitalize())]
        if rule is not None:
            manager, owner = (str(fields.get(key) or "") for key in (rule.manager_field, rule.owner_field))
            shown += [("Technical Account Manager", manager), ("Account Owner", owner)]
        return self._laid_out(headline, ticket, rule.colour if rule else ORANGE, shown)

    def _laid_out(
        self, headline: str, ticket: Ticket, colour: str, fields: Fields, comment: str = ""
    ) -> Message:
        url = ticket_url(self._context.base_url, ticket.id)
        number = f"#{inline(ticket.id, 40)}"
        title = inline((ticket.subject or "").replace("|", "¦"), TITLE_LIMIT)
        link = f"<{url}|{number} {title}>" if url else f"{number} {title}"
        blocks: list[Json] = [_section(link)]
        if shown := _fields(fields):
            blocks.append(shown)
        if words := cut(clean(comment), COMMENT_LIMIT):
            blocks.append({"type": "section", "text": {"type": "plain_text", "emoji": False, "text": words}})
        text = f"{headline}: {f'<{url}|{number}>' if url else number} {title}".strip()
        return Message(text, [{"color": colour, "fallback": text, "blocks": blocks}])


class IntegrityNotes:
    """Makes the summary of an integrity run: what is new, what is fixed, what is open."""

    async def prepare(self, delivery: Delivery) -> Prepared | Outcome:
        note = note_of(delivery.payload) or Note("", "")
        message = integrity_message(note.data)
        return Prepared(message, note_row(note, delivery.lane) | {"digest": message.digest})

    async def found(self, delivery: Delivery) -> Prepared | Outcome:
        return await self.prepare(delivery)


def integrity_message(data: Mapping[str, Any]) -> Message:
    """The figures of `salesforce.integrity.checked`, the reports with news first, then those with most that is open."""
    reports = sorted(
        data["reports"], key=lambda each: (-(each["new"] + each["fixed"]), -each["open"], each["name"])
    )
    new, fixed, still = (sum(each[name] for each in reports) for name in ("new", "fixed", "open"))
    missing = len(data.get("not_judged") or [])
    text = f"Salesforce and Zendesk: {new} new, {fixed} fixed, {still} open"
    text += f"; {missing} reports could not be judged" if missing else ""
    rows = [
        f"*{inline(each['name'], 80)}* ({inline(each['severity'], 20)}): {each['new']} new, {each['fixed']} fixed, "
        f"{each['open']} open" + (f", {each['tickets']} open tickets" if each.get("tickets") else "")
        for each in reports
        if each["new"] or each["fixed"] or each["open"]
    ]
    blocks = [_section("\n".join(rows[start : start + 10])) for start in range(0, min(len(rows), 100), 10)]
    colour = ORANGE if new or missing else GREEN
    attachments = [{"color": colour, "fallback": text, "blocks": blocks}] if blocks else []
    return Message(text, attachments)


def _or(name: str, otherwise: str) -> str:
    return inline(name, NAME_LIMIT) or escape(otherwise)


def _section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "verbatim": True, "text": text}}


def _fields(fields: Fields) -> Json | None:
    shown = [
        {"type": "mrkdwn", "verbatim": True, "text": f"*{name}*\n{inline(value, NAME_LIMIT)}"}
        for name, value in fields[:FIELDS]
        if value.strip()
    ]
    return {"type": "section", "fields": shown} if shown else None
