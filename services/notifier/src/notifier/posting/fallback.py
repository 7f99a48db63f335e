"""What becomes of a message whose channel does not take it: archived, renamed, or the bot was removed from it."""

from typing import Any

from notifier.destinations import POSTS
from notifier.policy.notifier import NotifierPolicy
from notifier.posting.alerts import alert
from notifier.posting.prepared import NOTE, MessageSource, Note, Prepared, note_of
from notifier.slack.client import SlackChannelError
from notifier.slack.message import Message
from notifier.slack.text import escape
from supportops.delivery.destination import Cancel, Delivery, Discard, Done, Outcome
from supportops.store import Transaction

ELSEWHERE = "elsewhere"


def elsewhere(
    policy: NotifierPolicy, delivery: Delivery, prepared: Prepared, error: SlackChannelError
) -> Outcome:
    """The message goes to the fallback channel, unless it is confidential or that is the one that refuses it."""
    channel, refused = policy.fallback_channel, delivery.lane
    lost = channel is None or channel == refused or prepared.confidential

    def then(tx: Transaction) -> None:
        words = f"Channel {refused} takes no posts ({error.code}): its messages "
        words += "are given up." if lost else f"go to {channel}."
        remedy = f"invite the bot into {refused} or name another channel in the rules"
        again = f"; then: notifier deliveries retry --destination {POSTS}" if lost else ""
        alert(tx, policy, f"channel:{refused}", words, remedy + again)
        if channel is not None and not lost:
            data = {"channel": refused, "code": error.code, "payload": dict(delivery.payload)}
            note: dict[str, Any] = {"kind": ELSEWHERE, "rule": prepared.row["feed"], "data": data}
            note["ticket_id"] = prepared.row["ticket_id"]
            tx.deliveries.schedule(
                POSTS, f"{channel}:{ELSEWHERE}:{delivery.key}", lane=channel, payload={NOTE: note}
            )

    return Discard(str(error), then) if lost else Done({"fallback": channel}, then)


class FallbackSource:
    """Makes the message anew, with a word about where it belongs. What has become confidential is not shown there."""

    def __init__(self, sources: dict[str, MessageSource]) -> None:
        self._sources = sources

    async def prepare(self, delivery: Delivery) -> Prepared | Outcome:
        note = note_of(delivery.payload) or Note(ELSEWHERE, "")
        inner = _inner(delivery, note)
        about = note_of(inner.payload)
        prepared = await self._sources["" if about is None else about.kind].prepare(inner)
        if not isinstance(prepared, Prepared):
            return prepared
        if prepared.confidential:
            return Cancel("confidential: it is shown in its own channel or nowhere")
        belongs = escape(f"(for {note.data['channel']}, which takes no posts: {note.data['code']}) ")
        message = Message(belongs + prepared.message.text, prepared.message.attachments)
        row = prepared.row | {"channel": delivery.lane, "digest": message.digest}
        return Prepared(message, row, None, False, prepared.then)

    async def found(self, delivery: Delivery) -> Prepared | Outcome:
        return await self.prepare(delivery)


def _inner(delivery: Delivery, note: Note) -> Delivery:
    """The delivery as it was, for its own channel."""
    return Delivery(
        **{name: getattr(delivery, name) for name in Delivery.__dataclass_fields__}
        | {"payload": note.data["payload"], "lane": note.data["channel"]}
    )
