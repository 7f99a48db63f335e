"""Untrusted text made harmless for Slack (docs/vendors/slack.md#text). Pure.

Everything that came from a ticket passes `clean` or `one_line`, is cut, and only then escaped, so that no cut falls
inside an entity.
"""

import re
import unicodedata
from collections.abc import Callable

ELLIPSIS = "…"
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
WIDEST = 5  # what the widest character, an escaped ampersand, takes
_ESCAPE_TABLE = str.maketrans(_ESCAPES)
# Controls that turn or hide the text around them: one line of a stranger must not rearrange the rest of ours.
_BIDI_CONTROLS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2060\u2061\u2062\u2063\u2064\u3164\ufeff\uffa0"
)
"""Marks that nobody sees: a name of them alone would be no name. Joiners stay: scripts and emoji need them."""
_DROPPED = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), *map(ord, _BIDI_CONTROLS + _INVISIBLE)))
_CLEANING = _DROPPED | {0x09: "\t", 0x0A: "\n", 0x85: "\n", 0x2028: "\n", 0x2029: "\n"}
_SURROGATES = re.compile("[\ud800-\udfff]")
_UNCLEAN = re.compile(
    "["
    + re.escape("".join(map(chr, sorted(_CLEANING.keys() - {0x09, 0x0A}))))
    + "\ud800-\udfff]|\n[ \t]*\n[ \t]*\n"
)
_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


def clean(text: str) -> str:
    """Text of several lines without control characters, direction overrides and broken code points."""
    if not _UNCLEAN.search(text):
        return text.strip()
    lines = text.replace("\r\n", "\n").replace("\r", "\n").translate(_CLEANING)
    return _BLANK_LINES.sub("\n\n", _SURROGATES.sub("\ufffd", lines)).strip()


def one_line(text: str) -> str:
    """The same on one line, blanks collapsed: for names and titles."""
    return " ".join(clean(text).split())


def escape(text: str) -> str:
    """Text for a mrkdwn object: exactly `&`, `<` and `>` are escaped."""
    return text.translate(_ESCAPE_TABLE)


def cut(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, the last one an ellipsis when something was left out.

    Counts as the strictest reader would: a character outside the basic plane is two.
    """
    return _fitted(text, limit, _width)


def fit(text: str, limit: int) -> str:
    """`text` escaped, in at most `limit` characters *after* escaping; cut before it, so never inside an entity."""
    return escape(_fitted(text, limit, _escaped_width))


def inline(text: str, limit: int) -> str:
    """A stranger's name or title, ready to stand inside a line of ours."""
    return isolate(fit(one_line(text), limit - 2))


def label(text: str, limit: int) -> str:
    """The visible part of a `<url|label>` link."""
    return inline(text.replace("|", "¦"), limit)


def isolate(text: str) -> str:
    """Text with right-to-left letters, wrapped so that it cannot reorder its neighbours; other text as it is."""
    if not text.isascii() and any(unicodedata.bidirectional(c) in ("R", "AL") for c in text):
        return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}"
    return text


def _fitted(text: str, limit: int, width: Callable[[str], int]) -> str:
    if WIDEST * len(text) <= limit:
        return text
    room, fits = limit, 0
    for index, character in enumerate(text):
        room -= width(character)
        if room < 0:
            return text[:fits].rstrip() + ELLIPSIS
        if room >= 1:  # the ellipsis would still fit behind this one
            fits = index + 1
    return text


def _width(character: str) -> int:
    return 2 if character > "\uffff" else 1


def _escaped_width(character: str) -> int:
    return len(_ESCAPES.get(character, "")) or _width(character)
