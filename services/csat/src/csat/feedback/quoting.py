"""What a customer wrote, so that GitLab shows it and does nothing with it (docs/vendors/gitlab.md#untrusted-text).

Pure.

GitLab executes lines that begin with `/name`, notifies who is mentioned, and leaves notes on issues that are named.
A fence longer than any run of backticks makes the text literal; `> ` before each line, the fence's own too, keeps
it from the beginning of lines and would keep mentions quiet even if the fence failed.
"""

import re
import unicodedata

LONGEST_COMMENT = 10_000  # characters
LONGEST_TITLE = 255  # code points; GitLab refuses more
TRUNCATED = "… truncated"

_BREAKS = re.compile("\r\n|[\r\u0085\u2028\u2029]")
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")
"""Controls but line break and tab, controls of writing direction, halves of surrogate pairs."""
_INVISIBLE = ("Cc", "Cf", "Cs", "Zs", "Zl", "Zp")
_BACKTICKS = re.compile("`+")
_SPACES = re.compile(r"\s+")
_SIGNS = re.compile(r"([#!~%&$^*])(?=[\w\"])")
_NAMED = re.compile(r"\[(?=\w+:)")
_PAUSE = "\u200b"  # of no width: splits what would be a name, and nobody sees it


class NotInert(AssertionError):
    """A text of ours would be executed by GitLab: a bug, and better no issue than this one."""


def quote_untrusted(text: str) -> str:
    """`text` as a quoted, fenced block of Markdown, without a line break at its end."""
    said = cut(cleaned(text))
    fence = "`" * max(3, 1 + max(map(len, _BACKTICKS.findall(said)), default=0))
    return "\n".join(f"> {line}" for line in (f"{fence}text", *said.split("\n"), fence))


def cleaned(text: str) -> str:
    """Plain line breaks; no controls but tab, no controls of writing direction, no halves of surrogate pairs."""
    return _HIDDEN.sub("", _BREAKS.sub("\n", text))


def cut(text: str) -> str:
    """At most `LONGEST_COMMENT` characters, and a word about the rest."""
    return text if len(text) <= LONGEST_COMMENT else f"{text[:LONGEST_COMMENT]}\n{TRUNCATED}"


def safe_title(text: str, ticket_id: str) -> str:
    """A title of one line that mentions nobody and refers to nothing, at most 255 code points."""
    line = _SPACES.sub(" ", cleaned(text[:LONGEST_COMMENT])).strip()
    if all(unicodedata.category(each) in _INVISIBLE for each in line):
        return f"CSAT feedback for ticket {ticket_id}"
    line = line.replace("@", f"@{_PAUSE}").replace("://", f":{_PAUSE}//")
    line = _NAMED.sub(f"[{_PAUSE}", _SIGNS.sub(rf"\1{_PAUSE}", line))
    return line[:LONGEST_TITLE].rstrip()


def must_be_inert(text: str) -> str:
    """`text` itself, sure to have no line that GitLab would take for a command. Raises NotInert."""
    if any(line.startswith("/") for line in text.replace("\r", "").split("\n")):
        raise NotInert("a line of our own begins with a slash")
    return text
