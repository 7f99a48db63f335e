"""Takes secrets, bodies and personal data out of a log line, whatever put them there.

Three nets: fields whose name says that they hold a secret or a body; the secret values of the settings
in force; and patterns of credentials and e-mail addresses inside any text, tracebacks included.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from structlog.typing import EventDict, WrappedLogger

from supportops.config import HIDDEN, NOT_SET

SECRET = "[secret]"  # noqa: S105 - the word that stands in a line instead of a secret  # nosec B105
BODY = "[not logged]"
LONGEST = 8_000

_SECRET_KEY = re.compile(
    r"(?:^|_|-)(?:authorization|secret|secrets|password|token|cookie|apikey|api_key)$", re.I
)
_BODY_KEYS = frozenset(
    {"body", "payload", "raw", "html", "html_body", "text", "comment", "content", "params"}
)

_PLAIN = (bool, int, float, type(None))
_STATES = (HIDDEN, NOT_SET)  # whether a secret is set is no secret, and what people look for first
_SHORTEST_SECRET = 6

type Rule = tuple[tuple[str, ...], re.Pattern[str], str]

_RULES: tuple[Rule, ...] = (
    # a pattern is tried only on texts that hold one of its marks: most lines pay for a few searches only
    (("://",), re.compile(r"(?<=://)[^\s/@]+@"), f"{SECRET}@"),
    (("uthorization",), re.compile(r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?)[^'\"\r\n]+"), rf"\1{SECRET}"),
    (
        ("earer ", "asic ", "EARER ", "ASIC "),
        re.compile(r"(?i)\b(bearer|basic) [\w.~+/=!|:-]{6,}"),
        rf"\1 {SECRET}",
    ),
    (("xox", "xapp"), re.compile(r"\b(?:xox[a-z]|xapp)-[\w-]+(?:\.[\w-]+)*"), SECRET),
    (("00D",), re.compile(r"\b00D\w{12,15}![\w.+/=-]+"), SECRET),
    (("/token:",), re.compile(r"(?<=/token:)\S+"), SECRET),
    (
        ("ticket=",),
        re.compile(r"(?<=[?&]ticket=)[\w.~%+/=-]{24,}"),
        SECRET,
    ),  # of Slack's sockets; numbers are shorter
    (("/s/",), re.compile(r"(?<=/s/)[\w.~%+=-]{8,}"), SECRET),
    (
        ("oken=", "ecret=", "assword="),
        re.compile(r"(?i)(\w*(?:token|secret|password)=)[^\s&'\"]+"),
        rf"\1{SECRET}",
    ),
    (("input_value=",), re.compile(r"input_value=.*?(?=, input_type=)", re.S), f"input_value={BODY}"),
    (
        ("[parameters:",),
        re.compile(r"\[parameters:.*?\](?=\s*(?:\n|$|\(Background))", re.S),
        f"[parameters: {BODY}]",
    ),
    (("@",), re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"), "[e-mail]"),
)


_MARKS = tuple(mark for marks, _, _ in _RULES for mark in marks)


class Redactor:
    """A structlog processor: the line with everything that must not be seen taken out.

    Nearly all lines hold nothing of the kind, which a few searches over the whole line at once find out;
    only a line with a suspicion pays for the patterns.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = sorted(
            {value for value in secrets if len(value) >= _SHORTEST_SECRET}, key=len, reverse=True
        )
        self._marks = (*_MARKS, *self._known)

    def __call__(self, _logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
        """Called by structlog once a line."""
        line: dict[str, object] = {}
        texts: list[str] = []
        for key, value in event_dict.items():
            verdict = _verdict(key)
            line[key] = value if verdict is None or isinstance(value, _PLAIN) or value in _STATES else verdict
            if type(value) is str:
                texts.append(value)
            elif not isinstance(value, _PLAIN) and verdict is None:
                line[key] = self._value(value)
        whole = "\n".join(texts)
        if len(whole) > LONGEST or any(mark in whole for mark in self._marks):
            return {key: self.text(value) if type(value) is str else value for key, value in line.items()}
        return line

    def text(self, text: str) -> str:
        """One text without credentials and addresses, and not longer than `LONGEST`."""
        for secret in self._known:
            text = text.replace(secret, SECRET)
        for marks, pattern, instead in _RULES:
            if any(mark in text for mark in marks):
                text = pattern.sub(instead, text)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"

    def _value(self, value: object) -> object:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, _PLAIN):
            return value
        if isinstance(value, bytes | bytearray | memoryview):
            return BODY
        if isinstance(value, Mapping):
            return {str(key): self._field(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(item) for item in value]
        return self.text(str(value))

    def _field(self, key: str, value: object) -> object:
        instead = _verdict(key)
        return self._value(value) if instead is None or value in _STATES else instead


@lru_cache(maxsize=1024)
def _verdict(key: str) -> str | None:
    """What to show instead of the value of a field of this name; None: the value itself."""
    if key in _BODY_KEYS:
        return BODY
    return SECRET if _SECRET_KEY.search(key) else None
