"""What a text sets off when GitLab renders it: mentions, references, images, HTML, task items
(docs/vendors/gitlab.md#untrusted-text).

The text is rendered as CommonMark with its HTML, then read as a browser would. Nothing counts within `code`, `pre`
and `style`, no mention within links and block quotes. Links and references in block quotes do count.
"""

import re
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser

from markdown_it import MarkdownIt

_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_MENTION = re.compile(r"(?<![\w/@.])@([A-Za-z0-9_](?:[A-Za-z0-9_./-]*[A-Za-z0-9_-])?)", re.ASCII)
_SHORT = re.compile(r"((?:[\w.-]+(?:/[\w.-]+)+)?)(?<![&#!])([#!])(\d+)\b", re.ASCII)
_ADDRESS = re.compile(r"https?://[^\s<>\"]+?/([\w./-]+?)/(?:-/)?(issues|merge_requests)/(\d+)\b", re.ASCII)
_TASK = re.compile(r"^\s*\[[ xX~]\]\s")
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr")
)
_LITERAL = frozenset(("code", "pre", "style", "script"))
_SIGNS = {"issues": "#", "merge_requests": "!"}


@dataclass
class Live:
    """What a text set off, each in its order. `references` as `group/project#3`, or `#3` in the same project."""

    mentions: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    tasks: int = 0

    def __bool__(self) -> bool:
        return bool(self.mentions or self.references or self.images or self.html or self.tasks)


def live_parts(text: str) -> Live:
    """Everything in a description or note that is more than words."""
    found = Live()
    tokens = _MARKDOWN.parse(text)
    inner = [child for token in tokens for child in token.children or ()]
    found.html = [token.content for token in (*tokens, *inner) if token.type in ("html_block", "html_inline")]
    reader = _Reader(found)
    reader.feed(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))
    reader.close()
    return found


def live_title(title: str) -> Live:
    """A title is rendered too, on one line, its entities as well: mentions and references are taken for live."""
    found = Live()
    _read_words(unescape(title), found, quiet=False)
    return found


class _Reader(HTMLParser):
    """Walks the rendered text with the elements that are open at each place."""

    def __init__(self, found: Live) -> None:
        super().__init__(convert_charrefs=True)
        self._found = found
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "img":
            self._found.images.append(str(given.get("src")))
        if tag == "a" and given.get("href"):
            _read_addresses(str(given["href"]), self._found)
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if _LITERAL.intersection(self._open):
            return
        if "li" in self._open and _TASK.match(data):
            self._found.tasks += 1
        if "a" not in self._open:
            _read_words(data, self._found, quiet="blockquote" in self._open)


def _read_words(text: str, found: Live, *, quiet: bool) -> None:
    if not quiet:
        found.mentions += _MENTION.findall(text)
    found.references += [f"{project}{sign}{number}" for project, sign, number in _SHORT.findall(text)]
    _read_addresses(text, found)


def _read_addresses(text: str, found: Live) -> None:
    found.references += [f"{path}{_SIGNS[kind]}{number}" for path, kind, number in _ADDRESS.findall(text)]
