"""The sender: signs each attempt anew, posts with bounded concurrency, follows the retry table, records the outcome."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from sandbox.chance import dice
from sandbox.clock import Clock, iso_seconds
from sandbox.ledger import Ledger
from sandbox.zendesk.retries import Again, Answer, Final, next_step
from sandbox.zendesk.signing import signature
from sandbox.zendesk.webhooks import Invocation, Webhook, ulid

Post = Callable[[str, list[tuple[str, str]], bytes, str], Awaitable[Answer]]


class Sender:
    """Holds the webhooks and everything that was sent to them.

    `post` makes one HTTP request: (url, headers, body, method) -> Answer; it raises OSError when there was none.
    """

    def __init__(
        self, account_id: int, post: Post, clock: Clock, ledger: Ledger, concurrency: int = 64
    ) -> None:
        self.webhooks: dict[str, Webhook] = {}
        self.invocations: dict[str, Invocation] = {}
        self.random = dice()
        self._account_id = str(account_id)
        self._post = post
        self._clock = clock
        self._ledger = ledger
        self._room = asyncio.Semaphore(concurrency)
        self._tasks: set[asyncio.Task[None]] = set()

    # --- in ---

    def send(self, webhook: Webhook, event_id: str, kind: str, record_id: int, body: bytes) -> None:
        """Queue one event for one webhook, spoilt as the webhook's modes say."""
        modes, chance = webhook.modes, self.random.random
        invocation = self._invocation(webhook, event_id, kind, record_id)
        if chance() < modes.drop:
            self._close(invocation, "dropped")
            return
        wait = self._hold_back(webhook)
        for copy, share in (("wrong_secret", modes.wrong_secret), ("corrupt", modes.corrupt)):
            if chance() < share:
                bad = (
                    invocation if modes.bad_instead else self._invocation(webhook, event_id, kind, record_id)
                )
                bad.copy = copy
                self._start(webhook, bad, body, wait)
                if modes.bad_instead:
                    return
        self._start(webhook, invocation, body, wait)
        if chance() < modes.duplicate:
            again = self._invocation(webhook, event_id, kind, record_id)
            again.copy = "duplicate"
            self._start(webhook, again, body, wait + modes.duplicate_after * chance())

    def _hold_back(self, webhook: Webhook) -> float:
        modes, chance = webhook.modes, self.random.random
        wait = modes.reorder * chance() if modes.reorder else 0.0
        return wait + (modes.delay if modes.delay and chance() < modes.delay_share else 0.0)

    def _invocation(self, webhook: Webhook, event_id: str, kind: str, record_id: int) -> Invocation:
        made = Invocation(ulid(self._clock.now_ns()), webhook.id, event_id, kind, record_id)
        self.invocations[made.id] = made
        return made

    def _start(self, webhook: Webhook, invocation: Invocation, body: bytes, wait: float) -> None:
        task = asyncio.get_running_loop().create_task(self._carry(webhook, invocation, body, wait))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- out ---

    async def _carry(self, webhook: Webhook, invocation: Invocation, body: bytes, wait: float) -> None:
        """One invocation to its end."""
        if wait:
            await self._clock.sleep(wait)
        while True:
            async with self._room:
                answer = await self._attempt(webhook, invocation, body)
            invocation.attempts.append((self._clock.now_ns(), answer.status, answer.problem))
            match next_step(answer, len(invocation.attempts), webhook.retry_spacing):
                case Final(status):
                    self._close(invocation, status)
                    return
                case Again(after):
                    await self._clock.sleep(after)

    async def _attempt(self, webhook: Webhook, invocation: Invocation, body: bytes) -> Answer:
        headers = self.headers(webhook, invocation.id, body, invocation.copy == "wrong_secret")
        sent = _spoilt(body) if invocation.copy == "corrupt" else body
        try:
            async with asyncio.timeout(webhook.timeout):
                return await self._post(webhook.endpoint, headers, sent, webhook.http_method)
        except (TimeoutError, OSError) as error:
            return Answer(0, None, f"{type(error).__name__}: {error}")

    def headers(
        self, webhook: Webhook, invocation_id: str, body: bytes, wrong: bool
    ) -> list[tuple[str, str]]:
        """The headers of zendesk.md 1.2; the timestamp is the attempt's."""
        timestamp = iso_seconds(self._clock.now_ns())
        secret = f"not-{webhook.secret}" if wrong else webhook.secret
        return [
            ("X-Zendesk-Account-Id", self._account_id),
            ("X-Zendesk-Webhook-Id", webhook.id),
            ("X-Zendesk-Webhook-Invocation-Id", invocation_id),
            ("X-Zendesk-Webhook-Signature", signature(secret, timestamp, body)),
            ("X-Zendesk-Webhook-Signature-Timestamp", timestamp),
            ("Content-Type", "application/json; charset=utf-8"),
            ("User-Agent", "Zendesk Webhook"),
            *webhook.headers.items(),
        ]

    def _close(self, invocation: Invocation, status: str) -> None:
        invocation.status = status
        facts = invocation.as_json()
        self._ledger.add(
            "zendesk.webhook", **{("invocation_id" if k == "id" else k): v for k, v in facts.items()}
        )

    # --- control ---

    def pending(self) -> int:
        """Invocations that have not come to their end."""
        return len(self._tasks)

    def counts(self) -> dict[str, int]:
        counted: dict[str, int] = {}
        for invocation in self.invocations.values():
            counted[invocation.status] = counted.get(invocation.status, 0) + 1
        return counted

    async def stop(self) -> None:
        """Give up what is under way; used by reset and at the end."""
        tasks = list(self._tasks)
        await _cancelled(tasks)

    def clear(self) -> None:
        self.webhooks.clear()
        self.invocations.clear()
        self.random.seed(1)


def _spoilt(body: bytes) -> bytes:
    """One byte changed, in the middle."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :] if body else b"x"


async def _cancelled(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
