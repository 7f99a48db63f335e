"""Alerts for operators: what went wrong, once a day for each cause, with what mends it."""

from collections.abc import Sequence

from notifier.policy.notifier import NotifierPolicy
from notifier.posting.prepared import WARNING, Note, Prepared, note_of, note_row, schedule_note
from notifier.slack.message import Json, Message
from notifier.slack.text import fit, one_line
from supportops.delivery.destination import Delivery, Outcome
from supportops.store import Transaction

ALERT = "alert"
_COLOUR = "#CC3340"
MOST_SHOWN = 20  # within the characters that all blocks together may have
WORDS_LIMIT = 230
TEXT_LIMIT = 1_000


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
        message = alert_message(lines_of(note))
        return Prepared(message, note_row(note, delivery.lane) | {"digest": message.digest})

    async def found(self, delivery: Delivery) -> Prepared | Outcome:
        return await self.prepare(delivery)


def alert_message(lines: Sequence[tuple[str, str]]) -> Message:
    """Problems with their remedies, each a line or two; what is too many is counted."""
    shown = [_block(words, remedy) for words, remedy in lines[:MOST_SHOWN]]
    if len(lines) == 1:
        text = fit(one_line(lines[0][0]), TEXT_LIMIT)
    else:
        more = f"; the first {MOST_SHOWN}" if len(lines) > MOST_SHOWN else ""
        text = f"{len(lines)} things need an operator{more}"
    return Message(f":rotating_light: {text}", [{"color": _COLOUR, "fallback": text, "blocks": shown}])


def _block(words: str, remedy: str) -> Json:
    text = fit(one_line(words), WORDS_LIMIT)
    if remedy:
        text += f"\nRemedy: {fit(one_line(remedy), WORDS_LIMIT)}"
    return {"type": "section", "text": {"type": "mrkdwn", "verbatim": True, "text": text or "-"}}


def lines_of(note: Note) -> list[tuple[str, str]]:
    """The problems that an alert tells of, each with its remedy."""
    if "lines" in note.data:
        return [(str(words), str(remedy)) for words, remedy in note.data["lines"]]
    return [(str(note.data.get("words", "")), str(note.data.get("remedy", "")))]
