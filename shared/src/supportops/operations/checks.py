"""What a service's `doctor` is made of: named checks, each bounded in time, and one way to tell what they found.

A check gives findings. What it raises of our own errors, or a time-out, becomes a failed finding with its name, so that
one server that is away hides nothing of the others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal

from sqlalchemy.exc import SQLAlchemyError

from supportops.errors import SupportOpsError
from supportops.runtime.output import emit
from supportops.runtime.supervisor import CLEAN, FAILED

Verdict = Literal["ok", "warning", "failed", "skipped"]
LIMIT = timedelta(seconds=15)
SKEW_WARNING, SKEW_FAILURE = timedelta(seconds=1), timedelta(seconds=30)
HIDDEN = "(not shown)"


@dataclass(frozen=True)
class Finding:
    """The result of one check; `remedy`: what to do about it, in one sentence."""

    check: str
    verdict: Verdict
    detail: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class Check:
    """`look` gives what it found; `remedy` is the advice when it cannot look at all."""

    name: str
    look: Callable[[], Awaitable[Iterable[Finding]]]
    remedy: str = ""
    limit: timedelta = LIMIT


async def examine(checks: Sequence[Check], secrets: Sequence[str] = ()) -> list[Finding]:
    """What all checks found, in their order; they run at the same time. `secrets` never appear in a detail."""
    found = await asyncio.gather(*(_bounded(check) for check in checks))
    return [_masked(finding, secrets) for findings in found for finding in findings]


async def _bounded(check: Check) -> list[Finding]:
    try:
        async with asyncio.timeout(check.limit.total_seconds()):
            return list(await check.look())
    except TimeoutError:
        wait = f"no answer within {check.limit.total_seconds():g} s"
        return [Finding(check.name, "failed", wait, check.remedy)]
    except SQLAlchemyError as error:  # no text of it: it may quote the address, which holds the password
        reason = type(getattr(error, "orig", None) or error).__name__
        return [Finding(check.name, "failed", f"the database refuses: {reason}", check.remedy)]
    except (SupportOpsError, OSError) as error:
        return [Finding(check.name, "failed", str(error) or type(error).__name__, check.remedy)]


def _masked(finding: Finding, secrets: Sequence[str]) -> Finding:
    detail = finding.detail
    for secret in secrets:
        detail = detail.replace(secret, HIDDEN) if secret else detail
    return replace(finding, detail=detail)


def report(findings: Sequence[Finding], *, as_json: bool, title: str) -> int:
    """Print the findings; the exit code: 1 when one of them failed."""
    emit([asdict(finding) for finding in findings], as_json=as_json, title=title)
    return FAILED if any(finding.verdict == "failed" for finding in findings) else CLEAN


def skew(name: str, ours: datetime, theirs: datetime, doubt: timedelta) -> Finding:
    """Our clock against another one; `doubt`: how far apart they may seem although they agree."""
    apart = ours - theirs
    certain = max(timedelta(), abs(apart) - doubt)
    words = f"ours is {abs(apart).total_seconds():.1f} s {'ahead' if apart > timedelta() else 'behind'}"
    words += f", give or take {doubt.total_seconds():.1f} s"
    if certain > SKEW_FAILURE:
        return Finding(name, "failed", words, "Synchronize this machine's clock (NTP).")
    if certain > SKEW_WARNING:
        return Finding(name, "warning", words, "Synchronize this machine's clock (NTP).")
    return Finding(name, "ok", words)


def skew_of_date(name: str, date: str, began: datetime, ended: datetime) -> Finding:
    """The same for a server's `Date` header, which has whole seconds; `began`, `ended`: the request, by our clock."""
    half_a_second = timedelta(milliseconds=500)
    try:
        theirs = parsedate_to_datetime(date) + half_a_second
        return skew(name, began + (ended - began) / 2, theirs, (ended - began) / 2 + half_a_second)
    except (ValueError, TypeError):
        return Finding(name, "skipped", "the answer has no readable Date")
