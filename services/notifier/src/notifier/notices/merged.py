"""Merged tickets: wherever both have a thread, each points to the other."""

from typing import Any

from sqlalchemy import Row

from notifier.feeds.context import MessageContext
from notifier.feeds.render import ticket_url
from notifier.notices.payloads import MERGED, Notice
from notifier.posting.message_log import roots_of
from notifier.posting.prepared import Note, Prepared, note_of, note_row, schedule_note
from notifier.slack.message import Message
from notifier.slack.reads import permalink
from notifier.slack.text import inline
from supportops.delivery.destination import Cancel, Delivery, Done, Outcome
from supportops.store import Transaction


class MergedThreads:
    """Finds the threads of both tickets, and makes what is said in them."""

    def __init__(self, context: MessageContext) -> None:
        self._context = context

    async def decide(self, notice: Notice) -> Outcome:
        """One note in each of the two threads, in every channel that has both."""
        store, source, target = self._context.store, notice.ticket_id, str(notice.data["target"])
        sources, targets = await roots_of(store, source), await roots_of(store, target)
        shared = sorted(sources.keys() & targets.keys())
        if not shared:
            return Cancel("no channel has threads of both tickets")

        def then(tx: Transaction) -> None:
            for channel in shared:
                self._say(tx, sources[channel], targets[channel], "was merged into")
                self._say(tx, targets[channel], sources[channel], "has taken in")

        return Done({"channels": shared}, then)

    def _say(self, tx: Transaction, here: Row[Any], there: Row[Any], verb: str) -> None:
        data = {
            "ts": here.ts,
            "verb": verb,
            "other": there.ticket_id,
            "address": there.address,
            "at": there.ts,
        }
        note = Note(MERGED, MERGED, here.ticket_id, data)
        key = f"{here.channel}:{MERGED}:{here.ticket_id}:{there.ticket_id}"
        schedule_note(tx, note, channel=here.channel, key=key)

    async def prepare(self, delivery: Delivery) -> Prepared | Outcome:
        note = note_of(delivery.payload) or Note("", "")
        data, base = note.data, self._context.base_url
        found = await permalink(self._context.slack, data["address"], data["at"])
        thread = f" (<{found}|its thread>)" if found else ""
        here, there = (_number(base, each) for each in (note.ticket_id, str(data["other"])))
        message = Message(f"{here} {data['verb']} {there}{thread}", [])
        return Prepared(message, note_row(note, delivery.lane) | {"digest": message.digest}, data["ts"])

    async def found(self, delivery: Delivery) -> Prepared | Outcome:
        note = note_of(delivery.payload) or Note("", "")
        return Prepared(Message("", []), note_row(note, delivery.lane), note.data["ts"])


def _number(base_url: str, ticket_id: str) -> str:
    url, shown = ticket_url(base_url, ticket_id), f"Ticket #{inline(ticket_id, 40)}"
    return f"<{url}|{shown}>" if url else shown
