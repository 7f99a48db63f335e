"""What answers are made of: our own words, and everybody else's, escaped (docs/vendors/slack.md#text). Pure.

`Words` is text that may stand in a message. Only the functions here make it: a type checker refuses a stranger's
string in its place.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NewType

from notifier.slack.message import Message
from notifier.slack.text import inline, label

Words = NewType("Words", str)
LONGEST = 3_800  # characters of an answer: Slack's advice is 4,000
NAME = 120
TITLE = 200
_SECOND = timedelta(seconds=1)


def ours(text: str) -> Words:
    """Words of this program: literals, numbers and moments, never a part of anybody's text."""
    return Words(text)


def told(text: str, limit: int = TITLE) -> Words:
    """Somebody else's text on one line, cut and escaped."""
    return Words(inline(text, limit)) if text.strip() else Words("-")


def linked(url: str | None, text: str, limit: int = TITLE) -> Words:
    """A link to an address that `ticket_url` made, with somebody else's text on it; the text alone without one."""
    shown = label(text, limit)
    return Words(f"<{url}|{shown}>") if url else Words(shown)


def moment(at: datetime) -> Words:
    """A moment in the reader's own time zone, and in UTC where Slack cannot show that."""
    fallback = f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return Words(f"<!date^{int(at.timestamp())}^{{date_short_pretty}} {{time}}|{fallback}>")


def span(length: timedelta) -> Words:
    """A length of time in its two largest units: `2h 5m`, `40s`."""
    whole = max(timedelta(), length) // _SECOND
    days, hours, minutes, seconds = whole // 86_400, whole // 3_600 % 24, whole // 60 % 60, whole % 60
    units = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s")]
    first = next((index for index, (number, _) in enumerate(units) if number), 3)
    shown = [f"{number}{unit}" for number, unit in units[first : first + 2] if number]
    return Words(" ".join(shown) or "0s")


def line(*parts: Words) -> Words:
    """Several parts, one after the other."""
    return Words("".join(parts))


def listed(parts: Iterable[Words]) -> Words:
    """Several parts with a dot between them; empty ones are left out."""
    return Words(" · ".join(part for part in parts if part))


def answer(*lines: Words) -> Message:
    """A message of these lines; what is too much is left out by whole lines, and said to be."""
    shown: list[str] = []
    room = LONGEST
    for number, each in enumerate(lines):
        room -= len(each) + 1
        if room < 0:
            shown.append(f"… and {len(lines) - number} more lines")
            break
        shown.append(each)
    return Message("\n".join(shown), [])
