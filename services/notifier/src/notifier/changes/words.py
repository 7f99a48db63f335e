"""Changes in words, for a message and for templates: plain text, which whoever shows it escapes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from notifier.changes.records import Changed, Changes, Value
from notifier.policy.kinds import ASSIGNMENTS, BY_ID, KINDS, Kind
from notifier.slack.text import cut, isolate, one_line

VALUE_LIMIT = 80
MOST_SHOWN = 12  # changes of one action


@dataclass(frozen=True)
class Shown:
    """A change with names instead of ids. `name`: what was changed; `before`, `after`: empty for empty or not told."""

    kind: Kind
    name: str
    before: str = ""
    after: str = ""
    note: str = ""


_WORDS: Final[Mapping[Kind, str]] = {
    "deleted": "deleted",
    "spam": "deleted as spam",
    "restored": "restored",
    "solved": "solved",
    "closed": "closed",
    "reopened": "reopened",
}
_LABELS: Final[Mapping[Kind, str]] = {"type": "type of ticket"}


def shown(changes: Changes, names: Mapping[str, tuple[str, str]]) -> tuple[Shown, ...]:
    """The changes, the weightiest first; `names`: by change what it is called before and after, where ids are told."""
    ordered = sorted(changes.items(), key=lambda each: (KINDS.index(each[1].kind), each[0]))
    return tuple(_shown(name, change, names) for name, change in ordered)


def sentence(changes: Iterable[Shown]) -> str:
    """`solved, priority: normal → urgent, tags: +escalated`."""
    return ", ".join(words(each) for each in tuple(changes)[:MOST_SHOWN])


def words(change: Shown) -> str:
    """One change in words."""
    before, after, note = (_short(text) for text in (change.before, change.after, change.note))
    match change.kind:
        case "assigned" | "reassigned":
            return f"assigned to {after or 'somebody'}{f' instead of {before}' if before else ''}"
        case "unassigned":
            return f"taken from {before or 'its assignee'}"
        case "merged":
            return f"merged into #{after}" if after else "merged into another ticket"
        case "rated":
            return f"rated {after or 'anew'}{f' ({note})' if note else ''}"
        case "tags":
            return f"tags: {' '.join(part for part in (after, before) if part)}"
        case kind if kind in _WORDS:
            return _WORDS[kind]
        case kind:
            return f"{_label(kind, change.name)}: {before + ' → ' if before else ''}{after or 'none'}"


def _label(kind: Kind, name: str) -> str:
    return name.replace("field:", "field ") if kind == "field" else _LABELS.get(kind, kind)


def _shown(name: str, change: Changed, names: Mapping[str, tuple[str, str]]) -> Shown:
    before, after = _text(change.before, "-"), _text(change.after, "+")
    if name in names:
        before, after = names[name]
    elif change.kind in BY_ID:
        before, after = "", "another" if after and change.kind not in ASSIGNMENTS else ""
    return Shown(change.kind, name, before, after, change.note or "")


def _text(value: Value, sign: str) -> str:
    if isinstance(value, list):
        return " ".join(f"{sign}{each}" for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value or ""


def _short(text: str) -> str:
    return isolate(cut(one_line(text), VALUE_LIMIT))
