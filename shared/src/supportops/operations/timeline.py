"""What happened about one subject, line by line, and how it stands: the shared part of every service's `explain`."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from supportops.config.durations import format_duration
from supportops.operations.delivery_history import Call, calls_of_lane


@dataclass(frozen=True)
class Line:
    """What happened when, in which detail."""

    at: datetime
    what: str
    detail: str


@dataclass(frozen=True)
class Explanation:
    """All that a service can tell of a subject. `document`: everything as JSON, beside what is told in words.

    `title`: what the subject is called, where a service tells of several kinds.
    """

    known: bool
    standing: Mapping[str, str]
    lines: Sequence[Line]
    document: Mapping[str, Any]
    title: str = ""


type Explain = Callable[[AsyncConnection, str, datetime, bool], Awaitable[Explanation]]
"""Reads what is known of a subject as of a moment; the flag: with customers' words."""


def explanation(
    calls: Sequence[Call],
    now: datetime,
    standing: Mapping[str, str],
    lines: Sequence[Line],
    document: Mapping[str, Any],
) -> Explanation:
    """A service's own knowledge, completed by the calls: their attempts as lines, what they wait for as standing."""
    told = sorted([*lines, *(line for call in calls for line in attempts_of(call))], key=lambda line: line.at)
    waits = waits_of(calls, now)
    return Explanation(
        known=bool(lines or calls),
        standing={**standing, **waits},
        lines=told,
        document={
            "standing": {**standing, **waits},
            "timeline": [asdict(line) for line in told],
            **document,
            "deliveries": [call_document(call, now) for call in calls],
        },
    )


def waits_of(calls: Sequence[Call], now: datetime) -> dict[str, str]:
    """Each open or dead call with what it waits for; a destination may have several for one subject."""
    return {f"call {call.destination} {call.key}": wait_of(call, now) for call in calls if is_open(call)}


def wait_of(call: Call, now: datetime) -> str:
    """How an unfinished or a dead call stands, and what it waits for."""
    if call.state == "dead":
        return f"given up: {given_up_because(call)} (once mended: deliveries retry {call.key})"
    if call.state == "leased":
        return "in hand"
    last = f"; last answer: {call.attempts[-1].get('reason', 'done')}" if call.attempts else ""
    if call.paused_until is not None:
        return f"all calls to {call.destination} wait {span(call.paused_until - now)} more{last}"
    if call.next_attempt_at > now:
        return f"due in {span(call.next_attempt_at - now)}, on {when(call.next_attempt_at)}{last}"
    turn = f"waits for its turn: {call.before} before it" if call.before else "due now: next in turn"
    return f"{turn}; late by {span(now - call.next_attempt_at)}{last}"


def given_up_because(call: Call) -> str:
    """Why a dead call was given up on."""
    return str(call.outcome.get("reason", "no reason kept"))


def attempts_of(call: Call) -> Iterator[Line]:
    """A line for each attempt that is remembered, and for a cancel."""
    for each in call.attempts:
        detail = f"attempt {each['attempt']}: {each.get('reason', 'done')}"
        yield Line(datetime.fromisoformat(each["at"]), f"call {call.destination}", detail)
    if call.state == "cancelled" and call.finished_at is not None:
        why = f" {call.outcome['reason']}" if call.outcome.get("reason") else ""
        detail = f"cancelled{why}; it was due on {when(call.due_at)}"
        yield Line(call.finished_at, f"call {call.destination}", detail)


def call_document(call: Call, now: datetime) -> dict[str, Any]:
    """A call for JSON, with what it waits for."""
    return asdict(call) | {"waits": wait_of(call, now) if is_open(call) else None}


def is_open(call: Call) -> bool:
    """Whether it waits, is in hand or was given up on."""
    return call.state in ("waiting", "leased", "dead")


def when(moment: datetime) -> str:
    """A moment as people read it."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def span(length: timedelta) -> str:
    """A length of time to the second, the two largest units of it."""
    if length < timedelta(seconds=1):
        return "less than 1s"
    whole = timedelta(seconds=int(length.total_seconds()))
    if whole >= timedelta(days=1):
        whole -= whole % timedelta(hours=1)
    elif whole >= timedelta(hours=1):
        whole -= whole % timedelta(minutes=1)
    return format_duration(whole)


async def explain_lane(conn: AsyncConnection, subject: str, now: datetime, _words: bool) -> Explanation:
    """The calls of a lane and nothing else: enough where a lane is what people ask about and nothing else is kept."""
    calls = await calls_of_lane(conn, subject, now)
    return explanation(calls, now, {}, [], {"subject": subject})
