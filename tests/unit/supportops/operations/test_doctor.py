"""The shape of every doctor: bounded, one broken server hides nothing, no secrets, clocks with their doubt."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from supportops.errors import Retryable
from supportops.operations.checks import Check, Finding, examine, report, skew, skew_of_date
from tests.support.for_each import for_each

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


async def fine() -> Iterable[Finding]:
    return [Finding("fine", "ok")]


async def away() -> Iterable[Finding]:
    raise Retryable("no connection with hunter2-secret")


async def hanging() -> Iterable[Finding]:
    await asyncio.Event().wait()
    return []


async def test_one_that_is_away_or_hangs_hides_nothing_of_the_others() -> None:
    checks = [
        Check("away", away, remedy="Plug it in."),
        Check("hangs", hanging, limit=timedelta(milliseconds=20)),
        Check("fine", fine),
    ]
    found = await examine(checks, ["hunter2-secret"])
    assert [finding.verdict for finding in found] == ["failed", "failed", "ok"]
    assert found[0] == Finding("away", "failed", "no connection with (not shown)", "Plug it in.")
    assert found[1].detail == "no answer within 0.02 s"


@for_each("verdict, code", [("ok", 0), ("warning", 0), ("skipped", 0), ("failed", 1)])
def test_only_a_failure_fails(verdict: str, code: int) -> None:
    findings = [Finding("it", verdict)]  # type: ignore[arg-type]  # the four words of the table
    assert report(findings, as_json=True, title="") == code


@for_each(
    "ahead, verdict",
    [
        (0.0, "ok"),
        (1.2, "ok"),
        (1.6, "warning"),
        (-1.6, "warning"),
        (30.4, "warning"),
        (31.0, "failed"),
        (-40.0, "failed"),
    ],
)
def test_a_clock_is_judged_by_what_is_certain(ahead: float, verdict: str) -> None:
    found = skew("clock", NOON + timedelta(seconds=ahead), NOON, doubt=timedelta(milliseconds=500))
    assert found.verdict == verdict
    assert ("NTP" in found.remedy) == (verdict != "ok")


@for_each(
    "date, verdict",
    [
        ("Mon, 02 Nov 2026 12:00:00 GMT", "ok"),
        ("Mon, 02 Nov 2026 11:59:58 GMT", "ok"),
        ("Mon, 02 Nov 2026 12:00:05 GMT", "warning"),
        ("Mon, 02 Nov 2026 12:00:00 -0000", "skipped"),
        ("Mon, 02 Nov 2026 11:58:00 GMT", "failed"),
        ("", "skipped"),
        ("yesterday", "skipped"),
    ],
)
def test_a_date_header_has_whole_seconds(date: str, verdict: str) -> None:
    assert skew_of_date("clock", date, NOON, NOON + SECOND).verdict == verdict
