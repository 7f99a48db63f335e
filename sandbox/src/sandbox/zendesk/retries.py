"""What the sender does with an answer: the table of docs/vendors/zendesk.md#answers, as a pure function."""

from dataclasses import dataclass

CONFLICT_RETRIES = 3
TIMEOUT_RETRIES = 5
LONGEST_RETRY_AFTER = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """What one attempt brought. `status` 0: no complete response (time-out, refused or broken connection)."""

    status: int
    retry_after: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """Try again after so many seconds."""

    after: float


@dataclass(frozen=True, slots=True)
class Final:
    """No further attempt; `status` is what the invocations list shows."""

    status: str


def next_step(answer: Answer, attempt: int, spacing: float) -> Again | Final:
    """Decide after attempt number `attempt` (1 = first).

    `spacing` is the wait between retries where Zendesk documents none. A retry after 429 or 503 waits what the
    receiver asked for; how often is bounded as for 409, since the help center says "up to three times".
    """
    if 200 <= answer.status < 300:
        return Final("success")
    if answer.status == 0:
        return Again(spacing) if attempt <= TIMEOUT_RETRIES else Final("timeout")
    if attempt > CONFLICT_RETRIES:
        return Final("terminated")
    if answer.status == 409:
        return Again(spacing)
    if answer.status in (429, 503):
        wait = _seconds(answer.retry_after)
        if wait is not None and wait < LONGEST_RETRY_AFTER:
            return Again(wait)
    return Final("terminated")


def _seconds(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdigit() else None
