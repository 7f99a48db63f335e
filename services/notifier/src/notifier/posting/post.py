"""The destination of everything that is posted (docs/vendors/slack.md): once, in the pace of its channel.

A post carries its key in Slack's metadata. After an unknown outcome the channel's history says whether it is there;
where the history cannot be read, the message is skipped rather than doubled.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

from notifier.destinations import POSTS
from notifier.policy.notifier import NotifierPolicy
from notifier.posting.alerts import alert
from notifier.posting.burst import Bursts
from notifier.posting.channels import ChannelDirectory
from notifier.posting.fallback import elsewhere
from notifier.posting.message_log import POSTED, record_message, record_root_gone
from notifier.posting.prepared import NOTE, MessageSource, Prepared, metadata_of, note_of
from notifier.slack.client import (
    Posted,
    SlackChannelError,
    SlackClient,
    SlackCredentialError,
    SlackRateLimited,
    SlackRefused,
    SlackTargetGone,
)
from notifier.slack.pacing import workspace_budget
from supportops.delivery.destination import (
    Cancel,
    Delivery,
    DestinationSpec,
    Discard,
    Done,
    Outcome,
    Rate,
    Snooze,
    Unknown,
)
from supportops.observability.metrics import Recorder
from supportops.store import Transaction

CLOCK_MARGIN = timedelta(minutes=1)  # Slack's clock and ours
SOON = timedelta(seconds=1)
DOUBT = "outcome unknown, and the channel's history cannot be read: it is not posted a second time"


class Posts:
    """Posts a message, once; lane = channel. `lines` makes feed lines, `notes` the notes of each kind."""

    def __init__(
        self,
        policy: NotifierPolicy,
        slack: SlackClient,
        channels: ChannelDirectory,
        bursts: Bursts,
        sources: Mapping[str, MessageSource],
        metrics: Recorder,
    ) -> None:
        self._policy, self._slack, self._channels = policy, slack, channels
        self._bursts, self._sources, self._metrics = bursts, sources, metrics
        pace = policy.channel_pace
        self.spec = DestinationSpec(
            POSTS,
            concurrency=32,
            schedule=(SOON, 5 * SOON, 30 * SOON, *[timedelta(minutes=5)] * 12, *[timedelta(hours=1)] * 24),
            lane_pace=None if pace is None else Rate(1, pace),
            budget=workspace_budget(policy.breaches.posts_per_minute, urgent=False),
        )

    async def deliver(self, deliveries: Sequence[Delivery]) -> Sequence[Outcome]:
        return [self._counted(await self._post(delivery)) for delivery in deliveries]

    async def did_it_happen(self, delivery: Delivery) -> Outcome | None:
        prepared = await self._source(delivery).found(delivery)
        if not isinstance(prepared, Prepared):
            return prepared
        try:
            found = await self._find(delivery, prepared)
        except SlackRateLimited as error:
            return Snooze(error.after, str(error), uncertain=True)
        except SlackRefused as error:
            return Unknown(f"{DOUBT} ({error.code})")
        except SlackCredentialError as error:
            if error.code != "missing_scope":
                raise
            return Unknown(f"{DOUBT} ({error.code})")
        return None if found is None else _done(delivery, prepared, found, None)

    def _source(self, delivery: Delivery) -> MessageSource:
        note = note_of(delivery.payload)
        return self._sources["" if note is None else note.kind]

    async def _post(self, delivery: Delivery) -> Outcome:
        if NOTE not in delivery.payload and (burst := await self._bursts.collapse(delivery)) is not None:
            return burst
        prepared = await self._source(delivery).prepare(delivery)
        if not isinstance(prepared, Prepared):
            return prepared
        if prepared.confidential and (why := await self._channels.why_open(delivery.lane)):
            return self._kept_secret(delivery, why)
        try:
            posted = await self._send(delivery, prepared)
        except SlackRateLimited as error:
            return Snooze(error.after, str(error))
        except SlackChannelError as error:
            return elsewhere(self._policy, delivery, prepared, error)
        lost = prepared.thread_ts if posted.thread_ts is None else None
        return _done(delivery, prepared, posted, lost)

    def _kept_secret(self, delivery: Delivery, why: str) -> Outcome:
        """Nothing confidential is shown in an open channel, whatever the rules say of it."""

        def then(tx: Transaction) -> None:
            words = f"Confidential messages for {delivery.lane} are not posted: {why}."
            remedy = "make the channel private and free of guests, or take its marks from the rules"
            alert(tx, self._policy, f"open:{delivery.lane}", words, remedy)

        return Cancel(f"confidential, and {why}", then)

    async def _send(self, delivery: Delivery, prepared: Prepared) -> Posted:
        """Post into the thread; where that is refused (the first message was deleted), at channel level."""
        metadata = metadata_of(delivery, prepared.row["ticket_id"])
        post, channel = self._slack.post, delivery.lane
        if prepared.confidential:  # where was looked, not whatever has that name by now
            channel = await self._channels.address(channel)
        if prepared.thread_ts is not None:
            with suppress(SlackTargetGone):
                return await post(channel, prepared.message, metadata, prepared.thread_ts)
        return await post(channel, prepared.message, metadata)

    async def _find(self, delivery: Delivery, prepared: Prepared) -> Posted | None:
        """Our message by its key: in the channel, and in the thread that it was to go to."""
        since = delivery.created_at - CLOCK_MARGIN
        address = await self._channels.address(delivery.lane)
        for thread_ts in dict.fromkeys((None, prepared.thread_ts)):
            async for seen in self._slack.history(address, since, thread_ts):
                if seen.payload.get("key") == delivery.key:
                    return Posted(address, seen.ts, thread_ts)
        return None

    def _counted(self, outcome: Outcome) -> Outcome:
        words = {Done: "posted", Cancel: "skipped", Discard: "refused"}
        if (word := words.get(type(outcome))) is not None:
            self._metrics.count("messages_posted", outcome=word)
        return outcome


def _done(delivery: Delivery, prepared: Prepared, posted: Posted, lost: str | None) -> Outcome:
    row = prepared.row | {
        "address": posted.channel,
        "ts": posted.ts,
        "thread_ts": posted.thread_ts,
        "state": POSTED,
        "confidential": prepared.confidential,
    }

    async def then(tx: Transaction) -> None:
        record_message(tx, key=delivery.key, row=row)
        if lost is not None:
            await record_root_gone(tx, channel=delivery.lane, ts=lost)
        await tx.apply(prepared.then)

    return Done({"channel": posted.channel, "ts": posted.ts}, then)
