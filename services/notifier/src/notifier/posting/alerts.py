"""Alerts for operators: what went wrong, once a day for each cause, with what mends it."""

from notifier.policy.notifier import NotifierPolicy
from notifier.posting.prepared import WARNING, Note, Prepared, note_of, note_row, schedule_note
from notifier.slack.message import Message
from notifier.slack.text import escape, one_line
from supportops.delivery.destination import Delivery, Outcome
from supportops.store import Transaction

ALERT = "alert"
_COLOUR = "#CC3340"


def alert(tx: Transaction, policy: NotifierPolicy, cause: str, words: str, remedy: str) -> None:
    """Tell the operators' channel, where there is one. `cause` makes the key: one alert a day for each."""
    if policy.operators_channel is None:
        return
    note = Note(ALERT, "operators", data={"words": words, "remedy": remedy})
    key = f"{policy.operators_channel}:{ALERT}:{cause}:{tx.now:%Y-%m-%d}"
    schedule_note(tx, note, channel=policy.operators_channel, key=key, priority=WARNING)


class AlertSource:
    """Makes alerts."""

    async def prepare(self, delivery: Delivery) -> Prepared | Outcome:
        note = note_of(delivery.payload) or Note(ALERT, "operators")
        words, remedy = (escape(one_line(str(note.data.get(name, "")))) for name in ("words", "remedy"))
        below = [
            {"type": "section", "text": {"type": "mrkdwn", "verbatim": True, "text": f"Remedy: {remedy}"}}
        ]
        attachments = [{"color": _COLOUR, "fallback": remedy, "blocks": below}] if remedy else []
        message = Message(f":rotating_light: {words}", attachments)
        return Prepared(message, note_row(note, delivery.lane) | {"digest": message.digest})

    async def found(self, delivery: Delivery) -> Prepared | Outcome:
        return await self.prepare(delivery)
