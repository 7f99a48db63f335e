"""The sender: signs each attempt anew, posts with bounded concurrency, follows the retry table, records the outcome."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from sandbox.chance import dice
from sandbox.clock import NANOS, Clock, iso_seconds
from sandbox.ledger import Ledger
from sandbox.zendesk.breaker import Breaker, Throttle
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
        self.dice = dice()
        self._breakers: dict[str, Breaker] = {}
        self._throttles: dict[str, Throttle] = {}
        self._account_id = str(account_id)
        self._post = post
        self._clock = clock
        self._ledger = ledger
        self._room = asyncio.Semaphore(concurrency)
        self._tasks: set[asyncio.Task[None]] = set()

    # --- in ---

    def send(self, webhook: Webhook, event_id: str, kind: str, record_id: int, body: bytes) -> None:
        """Queue one event for one webhook, spoilt as the webhook's modes say."""
        modes, chance = webhook.modes, self.dice.random
        good = self._invocation(webhook, event_id, kind, record_id, body)
        if chance() < modes.drop:
            self._close(good, "dropped")
            return
        wait = self._hold_back(webhook)
        if self._throttle(webhook).holds(modes.throttle):
            if chance() < modes.throttle_lost:
                self._close(good, "throttled")
                return
            wait += modes.throttle_hold * chance()
        for copy, share in (("wrong_secret", modes.wrong_secret), ("corrupt", modes.corrupt)):
            if chance() >= share:
                continue
            if modes.bad_instead:
                good.copy = copy
            else:
                self._start(webhook, self._copy(good, copy), wait)
        self._start(webhook, good, wait)
        if chance() < modes.duplicate:
            self._start(webhook, self._copy(good, "duplicate"), wait + modes.duplicate_after * chance())

    def replay(self, invocation: Invocation, age: float) -> Invocation:
        """The same body once more, signed as `age` seconds ago: what somebody who recorded it could send."""
        again = self._copy(invocation, "replay")
        again.age = age
        self._start(self.webhooks[invocation.webhook_id], again, 0.0)
        return again

    def _hold_back(self, webhook: Webhook) -> float:
        modes, chance = webhook.modes, self.dice.random
        wait = modes.reorder * chance() if modes.reorder else 0.0
        return wait + (modes.delay if modes.delay and chance() < modes.delay_share else 0.0)

    def _invocation(
        self, webhook: Webhook, event_id: str, kind: str, record_id: int, body: bytes
    ) -> Invocation:
        made = Invocation(ulid(self._clock.now_ns()), webhook.id, event_id, kind, record_id, body)
        self.invocations[made.id] = made
        return made

    def _copy(self, of: Invocation, copy: str) -> Invocation:
        made = replace(of, id=ulid(self._clock.now_ns()), copy=copy, status="pending", attempts=[])
        self.invocations[made.id] = made
        return made

    def _start(self, webhook: Webhook, invocation: Invocation, wait: float) -> None:
        task = asyncio.get_running_loop().create_task(self._carry(webhook, invocation, wait))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- out ---

    async def _carry(self, webhook: Webhook, invocation: Invocation, wait: float) -> None:
        """One invocation to its end."""
        if wait:
            await self._clock.sleep(wait)
        breaker = self._breaker(webhook)
        while True:
            if webhook.modes.breaker and not breaker.admits():
                self._close(invocation, "circuit broken")
                return
            async with self._room:
                answer = await self._attempt(webhook, invocation)
            breaker.note(not 200 <= answer.status < 300)
            invocation.attempts.append((self._clock.now_ns(), answer.status, answer.problem))
            match next_step(answer, len(invocation.attempts), webhook.retry_spacing):
                case Final(status):
                    self._close(invocation, status)
                    return
                case Again(after):
                    await self._clock.sleep(after)

    async def _attempt(self, webhook: Webhook, invocation: Invocation) -> Answer:
        sent = _spoilt(invocation.body) if invocation.copy == "corrupt" else invocation.body
        try:
            async with asyncio.timeout(webhook.timeout):
                return await self._post(
                    webhook.endpoint, self.headers(webhook, invocation), sent, webhook.http_method
                )
        except (TimeoutError, OSError) as error:
            return Answer(0, None, f"{type(error).__name__}: {error}")

    def headers(self, webhook: Webhook, invocation: Invocation) -> list[tuple[str, str]]:
        """The headers of docs/vendors/zendesk.md#requests; the timestamp is the attempt's."""
        timestamp = iso_seconds(self._clock.now_ns() - int(invocation.age * NANOS))
        secret = f"not-{webhook.secret}" if invocation.copy == "wrong_secret" else webhook.secret
        return [
            ("X-Zendesk-Account-Id", self._account_id),
            ("X-Zendesk-Webhook-Id", webhook.id),
            ("X-Zendesk-Webhook-Invocation-Id", invocation.id),
            ("X-Zendesk-Webhook-Signature", signature(secret, timestamp, invocation.body)),
            ("X-Zendesk-Webhook-Signature-Timestamp", timestamp),
            ("Content-Type", "application/json; charset=utf-8"),
            ("User-Agent", "Zendesk Webhook"),
            *webhook.headers.items(),
        ]

    def _breaker(self, webhook: Webhook) -> Breaker:
        return self._breakers.setdefault(webhook.id, Breaker(self._clock))

    def _throttle(self, webhook: Webhook) -> Throttle:
        return self._throttles.setdefault(webhook.id, Throttle(self._clock))

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
        self._breakers.clear()
        self._throttles.clear()
        self.dice.seed(1)


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
