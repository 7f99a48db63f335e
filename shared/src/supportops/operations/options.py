"""The options that operators' commands share, spelt alike everywhere, and who gives them."""

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer

from supportops.config.durations import parse_duration

Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most so many, oldest first.")]
SinceText = Annotated[
    str | None,
    typer.Option(
        "--since", help="Nothing older: a length of time (2h, 3d) or a moment in UTC (2026-11-02T09:00)."
    ),
]
Everything = Annotated[
    bool, typer.Option("--all", help="All that the filters leave; says how many, then asks.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Personal = Annotated[
    bool, typer.Option("--personal", help="Show personal data too: for the eyes of who mends it.")
]
HIDDEN = "(may be personal data: --personal shows it)"


def moment_of(since: str | None, now: datetime, option: str = "--since") -> datetime | None:
    """The moment that `--since` (or `option`) means. Raises typer.BadParameter."""
    if since is None:
        return None
    try:
        return now - parse_duration(since)
    except ValueError:
        return _moment(since, option)
    except OverflowError:
        raise typer.BadParameter(f"{since!r} is longer ago than the first year", param_hint=option) from None


def past_moment_of(since: str, now: datetime) -> datetime:
    """The moment that `--since` means, where nothing can be told of later ones. Raises typer.BadParameter."""
    start = moment_of(since, now) or now
    if start > now:
        raise typer.BadParameter(
            f"{since!r} has not come yet: name a moment before now", param_hint="--since"
        )
    return start


def _moment(text: str, option: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        wrong = f"{text!r} is neither a length of time such as 2h nor a moment such as 2026-11-02T09:00"
        raise typer.BadParameter(wrong, param_hint=option) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def whoami() -> str:
    """Who works on this machine; `operator` where that user has no name, as in some containers."""
    try:
        return getpass.getuser()[:100]
    except (KeyError, OSError):
        return "operator"


def go_on(count: int, what: str, *, yes: bool, dry_run: bool) -> bool:
    """Say how many it concerns; whether to go on, by `--yes` or by the answer of who was asked."""
    typer.echo(f"{count} {what}", err=True)
    if dry_run or not count:
        return False
    return yes or typer.confirm("Go on?", err=True)
