"""What a breach notice looks like (docs/rules.md N2 in today's form, docs/vendors/slack.md#message-form). Pure.

The one line of `text` stands alone; the attachment carries the rule's colour, the ticket, how the target stands, and
the button to take it on. What came from a ticket is untrusted: it is cleaned, cut and escaped.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from notifier.breaches.targets import ALIVE, TargetState
from notifier.feeds.render import TITLE_LIMIT, ticket_url
from notifier.policy.breaches import BreachRule
from notifier.slack.message import Json, Message
from notifier.slack.text import inline, label

TAKE, GIVE_BACK = "breach_take", "breach_give_back"
EVENT_TYPE = "sla_breach_alert"
_STATES = {
    TargetState.OPEN: "Open",
    TargetState.ANSWERED: "Answered in time",
    TargetState.ANSWERED_LATE: "Answered late",
    TargetState.BREACHED: "Breached",
    TargetState.PAUSED: "Paused",
    TargetState.MOVED: "The target has another time now",
    TargetState.WITHDRAWN: "The target was withdrawn",
}


@dataclass(frozen=True)
class NoticeFacts:
    """What a notice tells: of which ticket and target, and how that stands. `taken_by`: a Slack user's id."""

    ticket_id: str
    subject: str
    metric: str
    breach_at: datetime
    target: str
    state: TargetState = TargetState.OPEN
    taken_by: str | None = None
    taken_until: datetime | None = None
    unverified: bool = False


def render(facts: NoticeFacts, rule: BreachRule, base_url: str) -> Message:
    """The notice as it looks now."""
    url = ticket_url(base_url, facts.ticket_id)
    number = f"Ticket #{inline(facts.ticket_id, 40)}"
    headline = f"{_metric(facts.metric)} {_verb(facts)} {moment(facts.breach_at)}"
    title = inline(facts.subject, TITLE_LIMIT)
    calls = "".join(f"{_mention(each)} " for each in rule.mention)
    text = f"{calls}{headline}: {_link(url, number)}{f' {title}' if title else ''}"
    fallback = f"{number}: {_metric(facts.metric)} {_verb(facts)} {_utc(facts.breach_at)}"
    attachment: Json = {"color": rule.colour, "fallback": fallback, "blocks": _blocks(facts, url)}
    return Message(text=text, attachments=[attachment], username=inline(rule.title, 80))


def plain_words(facts: NoticeFacts) -> str:
    """One line without markup, for letters."""
    metric = facts.metric.replace("_", " ")
    return f"Ticket {facts.ticket_id}: {metric} {_verb(facts)} {_utc(facts.breach_at)}"


def state_words(facts: NoticeFacts) -> str:
    """How the target stands, in words."""
    words = _STATES[facts.state]
    if facts.taken_by and facts.taken_until and facts.state in ALIVE:
        words += f" · taken by <@{facts.taken_by}> until {moment(facts.taken_until)}"
    return words


def moment(at: datetime) -> str:
    """A moment in the reader's own time zone, and in UTC where Slack cannot show that."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{_utc(at)}>"


def _blocks(facts: NoticeFacts, url: str | None) -> list[Json]:
    title = label(f"#{facts.ticket_id} {facts.subject}", TITLE_LIMIT + 50)
    said = state_words(facts) + (" · not read afresh: Zendesk did not answer" if facts.unverified else "")
    blocks: list[Json] = [
        {"type": "section", "text": _mrkdwn(_link(url, title))},
        {"type": "context", "elements": [_mrkdwn(said)]},
    ]
    if facts.state in ALIVE:
        blocks.append({"type": "actions", "elements": [_button(facts)]})
    return blocks


def _button(facts: NoticeFacts) -> Json:
    action, words = (GIVE_BACK, "Give it back") if facts.taken_by else (TAKE, "Take it")
    shown = {"type": "plain_text", "text": words, "emoji": False}
    return {"type": "button", "action_id": action, "value": facts.target, "text": shown}


def _verb(facts: NoticeFacts) -> str:
    return "was due" if facts.state is not TargetState.OPEN else "breaches"


def _metric(metric: str) -> str:
    words = inline(metric.replace("_", " "), 60)
    return words[:1].upper() + words[1:]


def _mention(who: str) -> str:
    if who in ("here", "channel"):
        return f"<!{who}>"
    return f"<!subteam^{who}>" if who.startswith("S") else f"<@{who}>"


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _link(url: str | None, shown: str) -> str:
    return f"<{url}|{shown}>" if url else shown


def _mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "verbatim": True, "text": text}
